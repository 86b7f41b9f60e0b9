"""A night as JUnit XML, which Jenkins and the reporters of GitHub read.

The elements are those of Jenkins's `junit-10.xsd`; what a case says stands both in `message` and as its text,
since some readers show the one and some the other. It does not know how a sentinel finds what it says.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from labkit.cli.checks import MOST_SAID, Check, Checks, Found, failed
from labkit.cli.execution import FAILED, Ended
from labkit.errors import DefinitionError
from labkit.paths import shown as shown_path
from labkit.sentinel.finding import COST, SCORE
from labkit.visible import shown, visible

UNFINISHED = Ended(code=FAILED, message="it did not come to its end; what it printed says why.")
"""What a file says that was written before the notebook ran, and never again."""
MOST_DETAILS = 20_000
_KINDS: dict[str, Literal["failure", "error", "skipped"]] = {
    "worse": "failure",
    "cannot tell": "error",
    "absent": "skipped",
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One test. `kind` None: it passed. `type` says what a failure or an error is, in a word or two."""

    name: str
    kind: Literal["failure", "error", "skipped"] | None = None
    type: str = ""
    message: str = ""
    details: str = ""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Tests that belong together, and what else is told of them."""

    name: str
    cases: Sequence[Case]
    told: Sequence[str] = ()


def suites(notebook: str, ended: Ended, checks: Checks) -> list[Suite]:
    """One suite for each sentinel, and one for the notebook where it failed, where what sentinels said could
    not be read, or where none said anything."""
    names = Counter(check.sentinel for check in checks.each)
    found = [_of_sentinel(check, alone=names[check.sentinel] == 1) for check in checks.each]
    itself = failed(ended, checks)
    if itself or checks.faults or not found:
        unread = [Case(name="check", kind="error", type="cannot tell", message=why) for why in checks.faults]
        found.append(Suite(name=notebook, cases=[_of_cells(ended if itself else Ended()), *unread]))
    return found


def _of_cells(ended: Ended) -> Case:
    if ended.code == 0:
        return Case(name="every cell ran")
    return Case(
        name="every cell ran",
        kind="error",
        type="failed" if ended.code == FAILED else "too long",
        message=ended.message,
        details=ended.details,
    )


def _of_sentinel(check: Check, *, alone: bool) -> Suite:
    cases = [_of_finding(found) for found in check.findings]
    kind = _KINDS.get(check.outcome)
    if not cases or (kind is not None and kind not in {case.kind for case in cases}):
        said = " ".join(check.sentences) or check.outcome
        cases.append(Case(name="check", kind=kind, type=check.outcome, message=said))
    name = check.sentinel if alone else f"{check.sentinel} · {check.workspace} · {check.run_id}"
    return Suite(name=name, cases=cases, told=[*check.sentences, *check.notes])


def _of_finding(found: Found) -> Case:
    metric = "price" if found.metric == COST else found.metric
    if metric.startswith(SCORE):
        metric = f"score {metric.removeprefix(SCORE)}"
    return Case(
        name=f"{found.prompt} · {found.model} · {metric}",
        kind=_KINDS.get(found.said),
        type=found.said,
        message=found.sentence or found.said,
    )


def document(found: Iterable[Suite], *, started_at: datetime, took_s: float) -> bytes:
    """The XML. `took_s` is the notebook's time: a suite has all of it, a case of its own none.

    >>> well = Suite(name="nightly", cases=[Case(name="p · m · price")])
    >>> print(document([well], started_at=datetime(2026, 11, 1, tzinfo=UTC), took_s=2).decode())
    <?xml version='1.0' encoding='utf-8'?>
    <testsuites tests="1" failures="0" errors="0" time="2.000">
      <testsuite name="nightly" tests="1" failures="0" errors="0" skipped="0" time="2.000"\
 timestamp="2026-11-01T00:00:00+00:00">
        <testcase classname="nightly" name="p · m · price" time="0.000" />
      </testsuite>
    </testsuites>
    """
    found = list(found)
    every = [case for suite in found for case in suite.cases]
    took = {"time": f"{took_s:.3f}"}
    root = ElementTree.Element("testsuites", _counts(every) | took)
    for suite in found:
        counts = _counts(suite.cases) | {"skipped": _count(suite.cases, "skipped")}
        stamp = {"timestamp": started_at.isoformat(timespec="seconds")}
        name = visible(suite.name)
        element = ElementTree.SubElement(root, "testsuite", {"name": name} | counts | took | stamp)
        for case in suite.cases:
            _add(element, case, classname=name)
        if told := "\n".join(visible(said, limit=MOST_SAID) for said in suite.told):
            ElementTree.SubElement(element, "system-out").text = told
    ElementTree.indent(root)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _add(suite: ElementTree.Element, case: Case, *, classname: str) -> None:
    named = {"classname": classname, "name": visible(case.name), "time": "0.000"}
    element = ElementTree.SubElement(suite, "testcase", named)
    if case.kind is not None:
        message = visible(case.message, limit=MOST_SAID) or case.type
        result = ElementTree.SubElement(element, case.kind, {"type": visible(case.type), "message": message})
        result.text = shown(case.details[-MOST_DETAILS:]).strip() or message


def _counts(cases: Sequence[Case]) -> dict[str, str]:
    kinds = {"failures": "failure", "errors": "error"}
    return {"tests": str(len(cases))} | {name: _count(cases, kind) for name, kind in kinds.items()}


def _count(cases: Sequence[Case], kind: str) -> str:
    return str(sum(case.kind == kind for case in cases))


class Report:
    """The file of one night. Until the night ends it says that it did not: whatever stops the notebook,
    nobody takes yesterday's file for today's. Raises `DefinitionError` where it cannot be written."""

    def __init__(self, file: Path, notebook: str) -> None:
        self._file, self._notebook = file, notebook
        self._started_at, self._began = datetime.now(UTC), time.monotonic()
        self.end(UNFINISHED, Checks())

    def end(self, ended: Ended, checks: Checks) -> None:
        """Write how the night ended. Raises `DefinitionError`."""
        took_s = time.monotonic() - self._began
        found = suites(self._notebook, ended, checks)
        try:
            self._file.write_bytes(document(found, started_at=self._started_at, took_s=took_s))
        except OSError as error:
            raise DefinitionError(
                f"{shown_path(self._file)} cannot be written: {error.strerror}. Choose another --junit."
            ) from None
