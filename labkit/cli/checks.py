"""What sentinels said while a notebook ran: the file of lines that `watch.check` writes, and its exit code.

The file is any notebook's to write: a line that cannot be read counts as "cannot tell", never as nothing. It
does not know how a sentinel finds what it says.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from labkit.cli.execution import Ended
from labkit.cli.output import WIDTH
from labkit.errors import DefinitionError
from labkit.paths import read_bytes
from labkit.sentinel.finding import Said
from labkit.store.definition_records import Outcome
from labkit.visible import visible

WORSE, CANNOT_TELL = 3, 4
"""Exit codes."""
MOST_BYTES = 100_000_000
MOST_DEEP = 20
"""Lists and objects in each other; a sentinel's line has four."""
MOST_SAID = 2_000
"""Characters of one sentence that are told; the lab has it whole."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a check says of one prompt on one model by one metric."""

    prompt: str
    model: str
    metric: str
    said: Said
    sentence: str = ""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What a sentinel says of a run."""

    sentinel: str
    workspace: str
    lab: str
    run_id: str
    outcome: Outcome
    sentences: list[str]
    notes: list[str]
    findings: list[Found]
    night: int
    again_run_id: str | None = None
    baseline: str | None = None


@dataclass(frozen=True, kw_only=True)
class Checks:
    """The checks of a notebook that hold, their lines as they were written, and what could not be read."""

    each: Sequence[Check] = ()
    lines: Sequence[dict[str, Any]] = ()
    faults: Sequence[str] = ()

    @property
    def exit_code(self) -> int:
        """3 where a sentinel says worse, else 4 where one cannot tell or what it said cannot be read, else 0.

        >>> Checks(faults=["line 1 is no JSON"]).exit_code
        4
        """
        said = {check.outcome for check in self.each}
        if "worse" in said:
            return WORSE
        return CANNOT_TELL if self.faults or "cannot tell" in said else 0

    def told(self) -> Iterator[str]:
        """What a terminal shows of them, in lines of at most `output.WIDTH` characters where words allow."""
        for check in self.each:
            yield ""
            against = f", against {visible(check.baseline)}" if check.baseline else ""
            yield f"{visible(check.sentinel)}: {check.outcome} (night {check.night:,}{against})"
            yield from (_indented(said) for said in (*check.sentences, *check.notes))
        yield from (f"\ncannot tell: {fault}" for fault in self.faults)


@contextlib.contextmanager
def listened() -> Iterator[Path]:
    """A new file for `LABKIT_CHECKS` to name, for as long as the notebook runs."""
    with tempfile.TemporaryDirectory(prefix="labkit-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "checks.jsonl"
        file.touch()
        yield file


def failed(ended: Ended, checks: Checks) -> bool:
    """Whether the notebook itself failed. A cell that raised the alarm of a sentinel, whose word is in the
    file, did not."""
    return ended.code != 0 and not (ended.by_alarm and checks.exit_code)


def exit_code(ended: Ended, checks: Checks) -> int:
    """The notebook's code where it failed, else the sentinels'.

    >>> exit_code(Ended(code=124), Checks(faults=["line 1 is no JSON"]))
    124
    """
    return ended.code if failed(ended, checks) else checks.exit_code


def read(path: Path) -> Checks:
    """The checks in the file at `path`, which was there before the notebook ran. Of one sentinel's lines on
    one run the latest holds."""
    try:
        lines = read_bytes(path, what="file of checks", limit_bytes=MOST_BYTES).split(b"\n")
    except DefinitionError:
        return Checks(
            faults=["the file that LABKIT_CHECKS names is gone, too large, or no plain file any more."]
        )
    holding: dict[tuple[str, ...], tuple[Check, dict[str, Any]]] = {}
    faults: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            written = _parsed(line)
            check = msgspec.convert(written, Check)
        except (ValueError, RecursionError, msgspec.ValidationError) as error:
            why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
            faults.append(f"line {number:,} of what sentinels wrote cannot be read: {visible(why)}.")
        else:
            holding[check.lab, check.workspace, check.sentinel, check.run_id] = check, written
    return Checks(
        each=[check for check, _ in holding.values()],
        lines=[written for _, written in holding.values()],
        faults=faults,
    )


def _parsed(line: bytes) -> Any:
    """The line's JSON. Raises ValueError where it is none, and RecursionError where it is too deep to be
    written again."""
    value = json.loads(line.decode("utf-8"))
    level = [value]
    for _ in range(MOST_DEEP):
        level = [inner for one in level for inner in _inside(one)]
    if level:
        raise RecursionError
    return value


def _inside(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else ()


def _indented(said: str) -> str:
    return textwrap.fill(visible(said, limit=MOST_SAID), WIDTH, initial_indent="  ", subsequent_indent="  ")
