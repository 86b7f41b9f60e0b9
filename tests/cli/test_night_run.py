"""`labkit run` as a scheduler calls it: what its sentinels said as exit code, JUnit XML, JSON and words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nbformat
import pytest
import xmlschema
from hypothesis import given
from hypothesis import strategies as st

from labkit.cli import checks, junit
from labkit.cli.checks import Check, Checks, Found
from labkit.cli.execution import Ended

COMMAND = Path(sys.executable).parent / "labkit"
SCHEMA = xmlschema.XMLSchema(Path(__file__).with_name("junit.xsd"))
HOSTILE = "a\x1b[31m\x00\ufffe\u202eb<&\"'\nc"
CELLS = "every cell ran"
RESULTS = ("failure", "error", "skipped")
SAY = """
import json, os
line = {
    "sentinel": "nightly", "workspace": "default", "lab": "lab.duckdb", "run_id": "r1", "again_run_id": None,
    "baseline": "2026-11", "night": 12, "outcome": "not shown to be worse", "sentences": ["As it was."],
    "notes": [], "findings": [],
}
def found(said, metric="score.exact", sentence="", **more):
    return {"prompt": "p", "model": "m", "metric": metric, "said": said, "sentence": sentence} | more
def say(**more):
    with open(os.environ["LABKIT_CHECKS"], "a") as file:
        file.write(json.dumps(line | more) + "\\n")
"""
WELL = (
    "say(findings=[found('not shown to be worse', now=float('nan')), found('absent', 'cost', 'It is free.')])"
)
WORSE = (
    "say(outcome='worse', sentences=['Worse by 4 to 13 points.'], notes=['One row failed.'], "
    "findings=[found('worse', sentence='Worse by 4 to 13 points.'), "
    "found('not shown to be worse', 'latency')])"
)
CANNOT_TELL = "say(sentinel='other', outcome='cannot tell', sentences=['No fresh answer.'])"
ALARM = "from labkit.errors import SentinelAlarm\nraise SentinelAlarm('worse')"


def book(path: Path, *sources: str) -> None:
    """A notebook whose cells can `say` what a sentinel would."""
    cells = [nbformat.v4.new_code_cell(source) for source in (SAY, *sources)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)


def results(report: Path) -> dict[str, list[tuple[str, str | None, str]]]:
    """By suite, the name, kind and message of each case of a file that is whole: of the schema, its counts
    true, and with what readers of either form look for."""
    SCHEMA.validate(report)
    root = ElementTree.parse(report).getroot()
    found: dict[str, list[tuple[str, str | None, str]]] = {}
    for suite in root:
        cases = suite.findall("testcase")
        assert int(suite.attrib["tests"]) == len(cases)
        for count, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.attrib[count]) == len(suite.findall(f"testcase/{kind}"))
        said = found[suite.attrib["name"]] = []
        for case in cases:
            assert case.attrib["classname"] == suite.attrib["name"]
            result = next((child for child in case if child.tag in RESULTS), None)
            if result is None:
                said.append((case.attrib["name"], None, ""))
            else:
                assert result.text
                said.append((case.attrib["name"], result.tag, result.attrib["message"]))
    for count in ("tests", "failures", "errors"):
        assert int(root.attrib[count]) == sum(int(suite.attrib[count]) for suite in root)
    assert float(root.attrib["time"]) >= 0
    return found


NIGHTS: dict[str, tuple[int, Sequence[str], dict[str, Any]]] = {
    "the latest word of a run holds": (
        0,
        [WORSE, WELL],
        {"nightly": [("p · m · score exact", None, ""), ("p · m · price", "skipped", "It is free.")]},
    ),
    "nothing is watched": (0, ["1 + 1"], {"n.ipynb": [(CELLS, None, "")]}),
    "worse goes before cannot tell": (
        3,
        [WORSE, CANNOT_TELL],
        {
            "nightly": [
                ("p · m · score exact", "failure", "Worse by 4 to 13 points."),
                ("p · m · latency", None, ""),
            ],
            "other": [("check", "error", "No fresh answer.")],
        },
    ),
    "the cell that failed is the alarm": (
        4,
        [CANNOT_TELL, ALARM],
        {"other": [("check", "error", "No fresh answer.")]},
    ),
    "a torn line and an unknown word": (
        4,
        [WELL, "say(run_id='r2', outcome='fine')", "open(os.environ['LABKIT_CHECKS'], 'a').write('{')"],
        {
            "nightly": [("p · m · score exact", None, ""), ("p · m · price", "skipped", "It is free.")],
            "n.ipynb": [
                (CELLS, None, ""),
                (
                    "check",
                    "error",
                    "line 2 of what sentinels wrote cannot be read: Invalid enum value 'fine'",
                ),
                ("check", "error", "line 3 of what sentinels wrote cannot be read: Expecting property name"),
            ],
        },
    ),
    "a cell failed besides": (
        1,
        [WORSE, "raise ValueError('no such file')"],
        {
            "nightly": [
                ("p · m · score exact", "failure", "Worse by 4 to 13 points."),
                ("p · m · latency", None, ""),
            ],
            "n.ipynb": [(CELLS, "error", "ValueError: no such file")],
        },
    ),
    "the kernel died": (
        1,
        [WELL, "import signal\nos.kill(os.getpid(), signal.SIGKILL)"],
        {
            "nightly": [("p · m · score exact", None, ""), ("p · m · price", "skipped", "It is free.")],
            "n.ipynb": [(CELLS, "error", "Kernel died")],
        },
    ),
    "an alarm that no sentinel wrote of": (
        1,
        [ALARM],
        {"n.ipynb": [(CELLS, "error", "SentinelAlarm: worse")]},
    ),
    "a cell took too long": (
        124,
        [CANNOT_TELL, "import time\ntime.sleep(600)"],
        {
            "other": [("check", "error", "No fresh answer.")],
            "n.ipynb": [(CELLS, "error", "a cell took longer than 8 s")],
        },
    ),
}


@pytest.mark.parametrize("night", NIGHTS)
def test_a_night_in_the_shell_of_a_scheduler(here: Path, night: str) -> None:
    """Under `bash -eo pipefail`, as GitHub runs its steps: the code, and in every case the executed notebook,
    its page, the JUnit file and what `--json` prints."""
    code, sources, expected = NIGHTS[night]
    book(here / "n.ipynb", *sources)
    timeout = "--timeout 8 " if code == 124 else ""
    script = f"{COMMAND} run n.ipynb --junit night.xml {timeout}--json | tee told.json\ntouch went-on"
    done = subprocess.run(["bash", "-eo", "pipefail", "-c", script], capture_output=True, text=True, cwd=here)
    assert done.returncode == code, done.stderr
    assert (here / "went-on").exists() == (code == 0)
    told = json.loads((here / "told.json").read_text())
    assert told["exit_code"] == code
    assert (told["notebook"], told["html"], told["junit"]) == ("build/n.ipynb", "build/n.html", "night.xml")
    found = results(here / "night.xml")
    assert found.keys() == expected.keys()
    for suite, cases in expected.items():
        assert [case[:2] for case in found[suite]] == [case[:2] for case in cases]
        for (_, _, said), (_, _, begin) in zip(found[suite], cases, strict=True):
            assert said.startswith(begin)
    assert [line["sentinel"] for line in told["checks"]] == [name for name in expected if name != "n.ipynb"]
    for line in told["checks"]:
        assert line["night"] == 12
        if line["findings"] and line["outcome"] != "worse":
            assert line["findings"][0]["now"] is None  # NaN, and no field of the contract: it is kept
    assert len(told["unread"]) == (2 if "torn" in night else 0)
    executed = nbformat.read(here / "build" / "n.ipynb", as_version=4)
    assert any(cell.get("outputs") or cell.get("execution_count") for cell in executed.cells)
    assert "say" in (here / "build" / "n.html").read_text()


def test_a_person_reads_the_sentences_last(here: Path) -> None:
    """Each sentinel with its sentences and notes, no line too long, and nothing in it that acts; the alarm
    needs no traceback. Two of one name stand apart."""
    long = ("The answers are longer. " * 20).strip()
    sources = [
        f"name, long = {HOSTILE!r}, {long!r}",
        "say(outcome='worse', sentences=[name, long], notes=['One row failed.'], sentinel=name)",
        "say(outcome='cannot tell', sentences=['Nothing to go by.'], workspace='w2', sentinel=name)",
        ALARM,
    ]
    book(here / "n.ipynb", *sources)
    words = [COMMAND, "run", "n.ipynb", "--no-html", "--junit", "night.xml"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=here, check=False)
    assert done.returncode == 3
    assert done.stderr == "n.ipynb: a sentinel's alarm ended it; what it says stands below.\n"
    name = "a⟨1B⟩[31m⟨00⟩⟨FFFE⟩⟨202E⟩b<&\"'⏎c"
    last = done.stdout.partition("executed")[2].splitlines()[1:]
    assert last[:3] == ["", f"{name}: worse (night 12, against 2026-11)", f"  {name}"]
    assert " ".join(" ".join(last).split()).count(long) == 1
    assert last[-4:] == [
        "  One row failed.",
        "",
        f"{name}: cannot tell (night 12, against 2026-11)",
        "  Nothing to go by.",
    ]
    assert max(map(len, last)) <= 120
    assert results(here / "night.xml") == {
        f"{name} · default · r1": [("check", "failure", f"{name} {long}")],
        f"{name} · w2 · r1": [("check", "error", "Nothing to go by.")],
    }


def test_the_file_of_a_night_that_did_not_begin_is_not_yesterdays(here: Path) -> None:
    """What stops the command before any cell runs leaves a file that says so; a place that cannot be is told
    before anything runs."""
    (here / "n.ipynb").write_text('{"cells": [')
    (here / "night.xml").write_text("all was well")
    words = [COMMAND, "run", "n.ipynb", "--junit"]
    for place, told in (
        ("night.xml", "n.ipynb cannot be run"),
        ("no/where.xml", "The folder no does not exist. Make it, or choose another --junit."),
        ("night.json", "What is reported is XML: end --junit in .xml, not night.json."),
    ):
        done = subprocess.run([*words, place], capture_output=True, text=True, cwd=here, check=False)
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
        assert done.stderr.startswith(f"labkit: {told}")
    (case,) = results(here / "night.xml")["n.ipynb"]
    assert case == (CELLS, "error", "it did not come to its end; what it printed says why.")
    assert {path.name for path in here.iterdir()} <= {"n.ipynb", "night.xml", "build"}


LINE = {
    "sentinel": "nightly",
    "workspace": "default",
    "lab": "lab.duckdb",
    "run_id": "r1",
    "again_run_id": None,
    "baseline": None,
    "night": 1,
    "outcome": "worse",
    "sentences": [],
    "notes": [],
    "findings": [],
}
FINDING = {"prompt": "p", "model": "m", "metric": "cost", "said": "worse", "sentence": ""}


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"null",
        b"[]",
        b"7",
        b"\xff\xfe",
        b"[" * 100_000,
        b"1" * 5_000,
        json.dumps(LINE).encode()[:-1],
        json.dumps(LINE).encode("utf-16"),
        json.dumps(LINE | {"deep": json.loads("[" * 60 + "]" * 60)}).encode(),
        *(
            json.dumps(LINE | wrong).encode()
            for wrong in (
                {"outcome": "fine"},
                {"outcome": None},
                {"night": "1"},
                {"night": 1.5},
                {"sentences": "worse"},
                {"sentences": [None]},
                {"sentinel": 3},
                {"findings": [FINDING | {"said": "fine"}]},
                {"findings": [{}]},
                {"findings": {}},
            )
        ),
        *(
            json.dumps({k: v for k, v in LINE.items() if k != name}).encode()
            for name in (
                "sentinel",
                "workspace",
                "lab",
                "run_id",
                "outcome",
                "sentences",
                "findings",
            )
        ),
    ],
)
def test_a_line_that_cannot_be_read_is_no_good_news(tmp_path: Path, line: bytes) -> None:
    """Torn, foreign and hostile lines: "cannot tell", in one sentence that names the line; those around it
    are read."""
    file = tmp_path / "checks.jsonl"
    well = json.dumps(LINE | {"outcome": "not shown to be worse"}).encode()
    file.write_bytes(well + b"\n" + line + b"\n\n" + json.dumps(LINE | {"run_id": "r2"}).encode())
    found = checks.read(file)
    assert [check.run_id for check in found.each] == ["r1", "r2"]
    assert all(fault.startswith("line ") and len(fault) < 300 for fault in found.faults)
    assert found.faults
    file.write_bytes(well + b"\n" + line)
    assert checks.read(file).exit_code == 4


@given(st.binary())
def test_whatever_stands_in_the_file_is_read_or_told(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    """No bytes make it raise, and none pass for a night on which all was well."""
    file = tmp_path_factory.getbasetemp() / "checks.jsonl"
    file.write_bytes(data)
    assert checks.read(file).exit_code == (4 if data.strip() else 0)


def test_a_file_that_is_gone_is_no_good_news(tmp_path: Path) -> None:
    """Deleted, or with a folder or a pipe in its place, which nobody waits for: "cannot tell"."""
    with checks.listened() as file:
        assert checks.read(file).exit_code == 0
        file.unlink()
        assert checks.read(file).exit_code == 4
        os.mkfifo(file)
        assert checks.read(file).exit_code == 4
        file.unlink()
        file.mkdir()
        assert checks.read(file).exit_code == 4
    assert not file.parent.exists()


def check(outcome: Any, *found: Found, sentinel: str = "nightly", sentences: Sequence[str] = ()) -> Check:
    """What a sentinel says."""
    return Check(
        sentinel=sentinel,
        workspace="default",
        lab="lab.duckdb",
        run_id="r1",
        night=1,
        outcome=outcome,
        sentences=list(sentences),
        notes=[],
        findings=list(found),
    )


FAILED, LATE, ALARMED = Ended(code=1), Ended(code=124), Ended(code=1, by_alarm=True)


@pytest.mark.parametrize(
    ("ended", "outcomes", "code"),
    [
        (Ended(), [], 0),
        (Ended(), ["not shown to be worse"], 0),
        (Ended(), ["cannot tell", "worse", "not shown to be worse"], 3),
        (Ended(), ["not shown to be worse", "cannot tell"], 4),
        (FAILED, ["worse"], 1),
        (LATE, ["worse"], 124),
        (ALARMED, ["worse", "cannot tell"], 3),
        (ALARMED, ["cannot tell"], 4),
        (ALARMED, ["not shown to be worse"], 1),
        (ALARMED, [], 1),
    ],
)
def test_what_goes_before_what(ended: Ended, outcomes: Sequence[Any], code: int) -> None:
    """A failed cell and a time-out before the sentinels, worse before cannot tell; the alarm is a sentinel's
    word where there is one that tells of it."""
    assert checks.exit_code(ended, Checks(each=[check(one) for one in outcomes])) == code


@given(
    sentinel=st.text(),
    words=st.text(),
    said=st.sampled_from(["worse", "not shown to be worse", "cannot tell", "absent"]),
    outcome=st.sampled_from(["worse", "not shown to be worse", "cannot tell"]),
)
def test_no_name_breaks_the_file(
    tmp_path_factory: pytest.TempPathFactory, sentinel: str, words: str, said: Any, outcome: Any
) -> None:
    """Whatever the names and sentences are, the file is read by its schema, and a night that is not well has
    a case that is not."""
    file = tmp_path_factory.getbasetemp() / "night.xml"
    found = Found(prompt=words, model=words, metric=words, said=said, sentence=words)
    one = check(outcome, found, sentinel=sentinel, sentences=[words])
    failed = Ended(code=1, message=words, details=words)
    for ended, checked in ((Ended(), Checks(each=[one])), (failed, Checks(faults=[words]))):
        suites = junit.suites(words, ended, checked)
        file.write_bytes(junit.document(suites, started_at=datetime.now(UTC), took_s=1e6))
        kinds = {kind for cases in results(file).values() for _, kind, _ in cases}
        wanted = {"worse": "failure", "cannot tell": "error"}.get(outcome) if ended.code == 0 else "error"
        assert wanted is None or wanted in kinds
