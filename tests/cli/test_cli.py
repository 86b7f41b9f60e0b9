"""The `labkit` command, as a person or a cron job calls it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nbformat
import pytest

import labkit as lk
from labkit.dollars import usd
from labkit.providers.script import Reply

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def call(here: Path) -> Call:
    """Calls `labkit …` in the test's folder and gives what it printed."""

    def labkit(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = Path(sys.executable).parent / "labkit"
        return subprocess.run([command, *words], capture_output=True, text=True, check=check, cwd=here)

    return labkit


@pytest.fixture
def filled(lab: lk.Lab, echo: Callable[..., Any]) -> lk.Lab:
    """A lab with one run of two answers."""
    rows = [{"text": "a", "target": "a"}, {"text": "b", "target": "x"}]
    lab.plan(
        prompts=[lk.Prompt("p", "{{ text }}")], models=[echo()], dataset=rows, scorers=[lk.exact()]
    ).run()
    return lab


def book(path: Path, *sources: str) -> Path:
    """A notebook of code cells, the first tagged `parameters`."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    return path


def test_models_lists_prices_and_keys(call: Call) -> None:
    """`labkit models gpt-4o --json` gives prices and whether the key was found."""
    rows = json.loads(call("models", "gpt-4o", "--json").stdout)
    row = next(row for row in rows if row["id"] == "openai/gpt-4o")
    assert row["key"] == "missing"
    assert row["input_usd_mtok"] > 0
    told = call("models", "gpt-4o").stdout
    assert "GPT-4o mini" in told
    assert "retired" not in told  # no column without a value


def test_runs_and_show_tell_the_history(call: Call, filled: lk.Lab) -> None:
    """`labkit runs` lists the run, `labkit show` its summary, both also as JSON."""
    (row,) = json.loads(call("runs", "--json").stdout)
    assert (row["status"], row["done"]) == ("finished", 2)
    assert row["run_id"] in call("runs").stdout
    shown = call("show").stdout
    assert "scripted/echo" in shown
    assert "0.50" in shown or "50" in shown
    assert "USD per 1,000  what a thousand such answers cost" in shown
    assert "run.verdict" not in shown  # one prompt, one model: nothing to choose
    told = json.loads(call("show", row["run_id"], "--json").stdout)
    assert told["summary"][0]["n"] == 2
    assert told["verdict"] is None


def test_runs_tells_costs_as_everything_that_tells_of_money(
    call: Call, lab: lk.Lab, echo: Callable[..., Any]
) -> None:
    """A small sum stands in plain digits, one that is not known is left out; JSON has the number."""
    for name, prices in (("cheap", {"input": 1.0, "output": 1.0}), ("dark", None)):
        model = echo(name) if prices is None else echo(name).replace(prices=prices)
        lab.plan(prompts=["{{ n }}"], models=[model], dataset=[{"n": "a"}], experiment=name).run()
    costs = {row["experiment"]: row["cost_usd"] for row in json.loads(call("runs", "--json").stdout)}
    assert 0 < costs["cheap"] < 1e-4
    told = call("runs").stdout
    assert f" {usd(costs['cheap'])} " in told
    assert not re.search(r"\de-\d|nan|None", told)


def words(text: str) -> str:
    """The text on one line, wherever it was broken."""
    return " ".join(text.split())


def two_prompts(lab: lk.Lab, models: list[lk.Model], scorers: Sequence[Any] = ()) -> lk.Plan:
    """A prompt that is always right and one that never is, over thirty rows."""
    prompts = [lk.Prompt("right", "{{ text }}"), lk.Prompt("wrong", "not {{ text }}")]
    rows = [{"text": f"{number}", "target": f"{number}"} for number in range(30)]
    return lab.plan(prompts=prompts, models=models, dataset=rows, scorers=scorers)


def test_show_ends_in_the_answer(call: Call, lab: lk.Lab, echo: Callable[..., Any]) -> None:
    """Which prompt on which model, by each score, in the verdict's own words; or why none can be told."""
    run = two_prompts(lab, [echo("a"), echo("b")]).run()
    assert "since nothing was scored" in call("show").stdout
    told = json.loads(call("show", "--json").stdout)["verdict"]
    assert "since nothing was scored" in told["headline"]
    assert told["conclusion"] == []
    run.score(lk.exact())
    told = words(call("show").stdout)
    by = ["prompt", "model"]
    verdict = run.verdict(by=by)
    assert "beaten" in verdict.headline
    for said in (verdict.headline, *verdict.conclusion, verdict.sentences[0], f"run.verdict(by={by})"):
        assert told.count(words(said)) == 1
    run.score(lk.contains())
    told = words(call("show").stdout)
    both = run.verdict(["exact", "contains"], by=by)
    assert words(both.headline) in told
    assert f"run.verdict(['exact', 'contains'], by={by})" in told
    for said in both.conclusion:
        assert words(said) in told
    as_json = json.loads(call("show", "--json").stdout)["verdict"]
    assert as_json == {
        "headline": both.headline,
        "conclusion": list(both.conclusion),
        "assurance": "95 % holds for all that is said of scores together",
    }
    assert f"({as_json['assurance']}; each pair by" in told


def test_show_claims_no_more_than_the_verdict_of_a_study_that_grew(
    call: Call, lab: lk.Lab, echo: Callable[..., Any]
) -> None:
    """What the growth does to the level is told in the verdict's own words, and no level that it is not."""
    plan = two_prompts(lab, [echo("a")], [lk.exact()])
    run = plan.head(20).run().more(rows=10)
    told, verdict = words(call("show").stdout), run.verdict(by="prompt")
    assert "at most 7.5 % of studies with nothing to find make a false claim" in verdict.assurance
    assert verdict.assurance in verdict.notes
    assert f"({verdict.assurance}; each pair by" in told
    assert "95 % holds" not in told
    as_json = json.loads(call("show", "--json").stdout)["verdict"]
    assert as_json["assurance"] == verdict.assurance


def test_show_says_that_looks_at_replays_are_not_counted(
    call: Call, lab: lk.Lab, echo: Callable[..., Any]
) -> None:
    """Answers that were there before may have been looked at: the level stands, and that beside it."""
    plan = two_prompts(lab, [echo("a")], [lk.exact()])
    plan.head(20).run()
    plan.run()
    said = "95 % holds for all that is said of scores together; but 40 of 60 answers are replays: if they"
    assert said in words(call("show").stdout)


def test_a_run_that_goes_on_has_no_answer_yet(call: Call, lab: lk.Lab, echo: Callable[..., Any]) -> None:
    """While it asks, nothing is said of what is best."""
    model = echo("quick").replace(concurrency=1)
    run = lab.plan(prompts=["{{ n }}"], models=[model], dataset=[{"n": n} for n in range(500)]).start()
    run.pause()
    try:
        assert run.status == "running"
        assert "It is still asking" in call("show").stdout
    finally:
        run.stop()
        run.wait()


def test_an_unknown_run_is_one_sentence(call: Call, filled: lk.Lab) -> None:
    """Asking for a run that is not there prints one message, no traceback, and exits with 1."""
    done = call("show", "nosuch", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("labkit: ")
    assert "Traceback" not in done.stderr


def test_a_filter_that_finds_nothing_is_told(call: Call, filled: lk.Lab) -> None:
    """A workspace that no run is in: the nearest on standard error, in one line, and exit code 0."""
    words = ("runs", "--workspace", "defualt", "--lab", str(filled.path))
    done = call(*words)
    assert done.stdout == "no run in workspace 'defualt'\n"
    assert done.stderr == "labkit: No run in this lab has workspace 'defualt'; the nearest: 'default'.\n"
    assert (
        json.loads(call("runs", "--workspace", "defualt", "--lab", str(filled.path), "--json").stdout) == []
    )
    assert "the nearest: openai/gpt-4o" in call("models", "gpt4o").stdout


def test_sql_reads_and_cannot_write(call: Call, filled: lk.Lab) -> None:
    """`labkit sql` answers a query, and refuses one that would write or read another file."""
    assert json.loads(call("sql", "select count(*) as n from generations", "--json").stdout) == [{"n": 2}]
    for query in ("create table t as select 1", "select * from read_text('/etc/hostname')"):
        assert call("sql", query, check=False).returncode == 1


def test_sql_as_json_keeps_every_value(call: Call, filled: lk.Lab) -> None:
    """Whole numbers beside NULL, digits, intervals, infinite dates and two columns of one name are told."""
    query = (
        "select * from (values (7, 0.10::decimal(30, 2), interval '3 days', 'infinity'::date), "
        "(null, 12345678901234567.89, null, date '2026-11-01')) v(n, d, i, t), "
        f"(select {2**127 - 1}::hugeint as n)"
    )
    done = call("sql", query, "--json")
    assert json.loads(done.stdout, parse_float=str, parse_int=str) == [
        {"n": "7", "d": "0.10", "i": "3 days", "t": "infinity", "n_1": str(2**127 - 1)},
        {
            "n": None,
            "d": "12345678901234567.89",
            "i": None,
            "t": "2026-11-01",
            "n_1": str(2**127 - 1),
        },
    ]


def test_json_has_no_nan(call: Call, filled: lk.Lab, echo: Callable[..., Any]) -> None:
    """What is missing is null, in a summary without scores too; of a query's own value that is no number,
    the text is told."""

    def never(word: str) -> None:
        raise AssertionError(word)

    filled.plan(prompts=["Say hi"], models=[echo()], dataset=None, experiment="unscored").run()
    for words in (("show", "--json"), ("runs", "--json"), ("models", "--json")):
        told = json.loads(call(*words).stdout, parse_constant=never)
        if words[0] == "show":
            assert told["summary"][0]["score"] is None
    query = "select 'inf'::double as i, '-inf'::float as f, ['nan'::double, null] as n, null::double as m"
    assert json.loads(call("sql", query, "--json").stdout, parse_constant=never) == [
        {"i": "inf", "f": "-inf", "n": ["nan", None], "m": None}
    ]


def test_backup_is_a_lab(call: Call, filled: lk.Lab, here: Path) -> None:
    """`labkit backup` writes a file that is a whole lab."""
    call("backup", "copy.duckdb")
    assert len(lk.Lab(here / "copy.duckdb").generations()) == 2


LAB_COMMANDS = [
    ["runs"],
    ["show"],
    ["sql", "select 1"],
    ["backup", "copy.duckdb"],
    ["replay", "card.json"],
    ["sentinels", "--check"],
]


def test_every_command_that_reads_a_lab_is_tried_without_one() -> None:
    """The list is complete: each command with `--lab` stands in it, but for `doctor` and `serve`."""
    from labkit.cli.main import labkit

    reading = {
        name for name, command in labkit.commands.items() if any(one.name == "path" for one in command.params)
    }
    assert reading == {words[0] for words in LAB_COMMANDS} | {"doctor", "serve"}


@pytest.mark.parametrize("words", LAB_COMMANDS)
def test_a_lab_that_is_not_there_is_an_error(
    call: Call, filled: lk.Lab, here: Path, words: list[str]
) -> None:
    """Its name is told, and those beside it; the code is 1, and nothing is made, copied or printed."""
    filled.run("latest").card("card.json")
    there = beside(here)
    for path in ("nope.duckdb", "no/where/nope.duckdb"):
        done = call(*words, "--lab", path, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"labkit: There is no lab at {path}. ")
        assert ("That folder has lab.duckdb." in done.stderr) == (path == "nope.duckdb")
    assert beside(here) == there


def beside(here: Path) -> set[str]:
    """What stands in the folder beside the lab, whose own files come and go."""
    return {path.name for path in here.iterdir() if not path.name.startswith("lab.duckdb")}


def test_doctor_makes_no_lab(call: Call, here: Path) -> None:
    """Where there is none it says so and leaves the folder as it was; a folder that is missing is a fault."""
    for path, state in (("nope.duckdb", "note"), ("no/where/nope.duckdb", "fault")):
        done = call("doctor", "--lab", path, "--json", check=False)
        found = {finding["what"]: finding for finding in json.loads(done.stdout)}
        assert found["lab"]["state"] == state
        assert f"There is no lab at {path}" in found["lab"]["words"]
        assert done.returncode == (state == "fault")
        assert not list(here.iterdir())


def test_doctor_says_where_it_looked(call: Call, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of the weights, and the `.env` file whose keys are taken, or up to where there is none."""
    monkeypatch.setenv("LABKIT_WEIGHTS", str(here / "mine"))
    (here / ".git").mkdir()
    told = call("doctor").stdout
    assert "kept in mine; LABKIT_WEIGHTS names another" in told
    assert "none in this folder, nor above it" in told
    (here / ".env").write_text("OPENAI_API_KEY=sk-canary-0123456789abcdef\n")
    (here / ".env").chmod(0o600)
    told = call("doctor").stdout
    assert any(line.split()[:3] == ["ok", ".env", ".env;"] for line in told.splitlines())
    assert "canary" not in told


def test_what_was_not_foreseen_is_kept_in_a_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of labkit's own is told in lines, with code 1; its traceback is in a file of this user's."""
    code = """if 1:
        import sys
        from labkit.cli import main
        import labkit.cli.runs as runs
        def broken(path):
            raise ZeroDivisionError("by nothing")
        runs.existing = broken
        sys.argv = ["labkit", "runs"]
        main()
    """
    monkeypatch.setenv("TMPDIR", str(here))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("labkit: ZeroDivisionError: by nothing\n")
    assert len(done.stderr.splitlines()) == 2
    kept = Path(done.stderr.split()[-1])
    assert kept.read_text().startswith("Traceback")
    assert kept.stat().st_mode & 0o077 == 0
    monkeypatch.setenv("TMPDIR", "/dev/full")
    monkeypatch.setenv("TMP", "/dev/full")
    text = code.replace("main()", "import tempfile; tempfile.tempdir = '/nowhere'; main()")
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert "Traceback (most recent call last)" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_full_disk_is_one_sentence(here: Path) -> None:
    """What cannot be printed ends the command with code 1 and the system's own words, once."""
    command = [Path(sys.executable).parent / "labkit", "models"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "labkit: No space left on device\n")


def test_show_tells_what_answers_and_scores_lack(call: Call, lab: lk.Lab, echo: Callable[..., Any]) -> None:
    """Cut and empty answers and a scorer that failed: in the table, and in JSON as counts and notes."""

    def dept(generation: Any, sample: Any) -> float:
        raise KeyError("nothing")

    model = echo(answers=[Reply(text=" ", stop_reason="max_tokens")])
    lab.plan(prompts=["Say hi"], models=[model], scorers=[dept]).run()
    failed = "scorer 'dept' failed on 1 of 1 answer: KeyError: 'nothing'"
    assert failed in call("show").stdout
    told = json.loads(call("show", "--json").stdout)
    assert [told["summary"][0][kind] for kind in ("failed", "cut", "empty", "refused")] == [0, 1, 1, 0]
    assert told["notes"][-1] == failed
    assert "ended at max_tokens" in told["notes"][0]


def test_doctor_names_keys_without_showing_them(
    call: Call, filled: lk.Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`labkit doctor` says that a key was found and prints no piece of it."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-0123456789abcdef")
    done = call("doctor", "--json")
    states = {finding["what"]: finding for finding in json.loads(done.stdout)}
    assert states["key for openai"]["words"] == "found"
    assert states["lab"]["state"] == "ok"
    assert "canary" not in done.stdout + done.stderr


def test_run_executes_a_notebook_with_parameters(call: Call, here: Path) -> None:
    """`labkit run` executes each cell with the parameters given, shows what they print, keeps both files."""
    book(here / "n.ipynb", "times = 1", "print('said', times * 2)")
    done = call("run", "n.ipynb", "-p", "times", "21")
    assert "said 42" in done.stdout
    assert (here / "build" / "n.ipynb").exists()
    assert "said 42" in (here / "build" / "n.html").read_text()


def test_a_failing_notebook_fails_the_command(call: Call, here: Path) -> None:
    """A cell that raises gives exit code 1 and the error, and the notebook executed so far is kept."""
    book(here / "n.ipynb", "x = 1", "print('before')", "1 / 0")
    done = call("run", "n.ipynb", check=False)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert "before" in (here / "build" / "n.ipynb").read_text()


def test_nothing_is_lost_on_a_time_out(call: Call, here: Path) -> None:
    """A cell that takes too long gives exit code 124; the answers that came before are in the lab."""
    source = """
import labkit as lk
from labkit.providers.script import Reply

asked = []
def answer(request):
    asked.append(request)
    if len(asked) == 1:
        return "fast"
    open("asked twice", "w").close()
    return Reply("late", first_token_s=600)

model = lk.Model("scripted/slow", client=lk.Script(answer, version="1"), concurrency=1)
lk.Lab("lab.duckdb").plan(prompts=["{{ n }}"], models=[model], dataset=[{"n": "1"}, {"n": "2"}]).run()
"""
    book(here / "n.ipynb", "x = 1", source)
    seconds = 4
    while True:  # a busy machine may not have come so far when the time is up
        done = call("run", "n.ipynb", "--timeout", str(seconds), "--no-html", check=False)
        assert done.returncode == 124, done.stderr
        said = f"n.ipynb: a cell took longer than {seconds} s; what was answered is in the lab."
        assert [line for line in done.stderr.splitlines() if "imeout" in line or "longer" in line] == [said]
        if (here / "asked twice").exists():
            break
        seconds *= 2
    frame = lk.Lab(here / "lab.duckdb").generations()
    assert frame.loc[frame["status"] == "done", "text"].tolist() == ["fast"]


HOSTILE = "a\x1b]0;owned\x07\x1b[2Jb\x9bc\u202ed\u200be"


def acting(text: str) -> set[str]:
    """The characters of `text` that a terminal obeys or that hide."""
    return set(text) & set("\x1b\x07\x9b\u202e\u200b\r\x08")


def test_no_answer_reaches_the_terminal_as_an_escape(
    call: Call, here: Path, lab: lk.Lab, echo: Callable[..., Any]
) -> None:
    """Answers, names, errors and what a notebook prints: what would act is shown as its code."""
    commands = """if 1:
        import json, sys
        from labkit.cli.main import main
        for words in json.load(sys.stdin):
            sys.argv = ["labkit", *words]
            try:
                main()
            except SystemExit:
                pass
        """
    prompt = lk.Prompt("p", "{{ text }}")
    lab.plan(prompts=[prompt], models=[echo()], dataset=[{"text": HOSTILE}]).run()
    book(lab.path.parent / "n.ipynb", "x = 1", f"print({HOSTILE!r})", f"raise ValueError({HOSTILE!r})")
    words = [
        ["sql", "from generations"],
        ["sql", "select text from generations"],
        ["sql", f'select 1 as "{HOSTILE}"'],
        ["sql", f"select {HOSTILE}"],
        ["runs"],
        ["show"],
        ["show", HOSTILE],
        [HOSTILE],
        ["runs", "--lab", HOSTILE],
        ["run", "n.ipynb", "--no-html"],
        ["run", "n.ipynb", "-p", HOSTILE, HOSTILE],
        ["run", f"{HOSTILE}.ipynb"],
        ["backup", f"no such folder/{HOSTILE}"],
    ]
    done = subprocess.run(
        [sys.executable, "-c", commands],
        input=json.dumps(words),
        capture_output=True,
        text=True,
        check=True,
        cwd=here,
    )
    shown = done.stdout + done.stderr
    assert not acting(shown)
    assert shown.count("⟨1B⟩]0;owned") > 6
    # The notebook's own.
    assert shown.count("Traceback") == 1
    told = call("sql", "select text from generations", "--json").stdout
    assert not acting(told)
    assert json.loads(told) == [{"text": HOSTILE}]


def test_a_notebook_from_elsewhere_runs(call: Call, here: Path) -> None:
    """Its kernel is not here: Python's is; braces in its name name no parameter, its types are kept, and
    what its program left out stops neither it nor its page."""
    cells = [
        nbformat.v4.new_code_cell("dry_run = True\nversion = ''", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("print(repr(dry_run), repr(version))"),
    ]
    written = nbformat.v4.new_notebook(cells=cells)
    written.metadata["kernelspec"] = {"name": "conda-env-ds-py"}
    del written.cells[1]["outputs"]
    (here / "a{b}.ipynb").write_text(json.dumps(written | {"nbformat_minor": 4}))
    done = call("run", "a{b}.ipynb", "-p", "dry_run", "False", "-p", "version", "1.10")
    assert done.stdout.startswith("False '1.10'")
    note, *noise = done.stderr.splitlines()
    assert note.startswith("a{b}.ipynb names the kernel 'conda-env-ds-py', which is not here; ")
    # A kernel that ends in a bad moment may add what zmq thinks of its closed sockets, and nothing else.
    assert not noise or noise[-1] == "zmq.error.ZMQError: Socket operation on non-socket"
    assert (here / "build" / "a{b}.ipynb").exists()
    assert (here / "build" / "a{b}.html").exists()


SLOW_TO_IDLE = """
import time
handlers = get_ipython().kernel.shell_handlers
told = handlers["kernel_info_request"]
async def slow(*given):
    await told(*given)
    time.sleep(3)  # the fault itself: a kernel that is idle only long after its answer
handlers["kernel_info_request"] = slow
"""


def test_the_end_of_a_run_prints_nothing(call: Call, here: Path) -> None:
    """Also where the kernel is not idle yet when Jupyter ends it, which it begins with an interrupt."""
    book(here / "n.ipynb", "x = 1", SLOW_TO_IDLE)
    assert call("run", "n.ipynb", "--no-html").stderr == ""


def test_a_notebook_that_cannot_run_is_one_sentence(call: Call, here: Path) -> None:
    """Torn, without such a kernel or parameter, or with nowhere to write: one message, and nothing is run."""
    (here / "torn.ipynb").write_text('{"cells": [')
    written = book(here / "n.ipynb", "x = 1", "open('ran', 'w')").read_bytes()
    (here / "same.ipynb").symlink_to("n.ipynb")
    for words in (
        ["torn.ipynb"],
        ["n.ipynb", "--kernel", "nosuch"],
        ["n.ipynb", "--out", "n.ipynb/x.ipynb"],
        ["n.ipynb", "--out", "no/where/x.ipynb"],
        ["n.ipynb", "--out", "n.ipynb"],
        ["same.ipynb", "--out", "n.ipynb"],
        ["n.ipynb", "--out", "page.html"],
    ):
        done = call("run", *words, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith("labkit: "), done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert not (here / "ran").exists()
    assert not (here / "no").exists()
    assert (here / "n.ipynb").read_bytes() == written


@pytest.mark.parametrize("words", [["-p", "rwos", "1"], ["-p", "rows", "many"], ["--timeout", "0"]])
def test_a_word_that_is_no_parameter_ends_the_command(call: Call, here: Path, words: list[str]) -> None:
    """Nothing runs: the code is 2, as for any command that is written wrong, and the names there are told."""
    book(here / "n.ipynb", "experiment = 'a'\nrows = 1", "open('ran', 'w')")
    done = call("run", "n.ipynb", *words, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "rwos" not in words or "Did you mean rows? It has: rows, experiment." in done.stderr
    assert not (here / "ran").exists()


def test_a_cell_that_is_to_raise_is_no_failure(call: Call, here: Path) -> None:
    """Cells tagged `raises-exception` end nothing, leave no mark of papermill's, and hide no failure."""
    path = book(here / "n.ipynb", "x = 1", "1 / 0", "print('went', 'on')")
    told = nbformat.read(path, as_version=4)
    told.cells[1].metadata["tags"] = ["raises-exception"]
    nbformat.write(told, path)
    assert "went on" in call("run", "n.ipynb", "-p", "x", "2").stdout
    executed = nbformat.read(here / "build" / "n.ipynb", as_version=4)
    assert [cell.cell_type for cell in executed.cells] == ["code"] * 4
    told.cells.append(nbformat.v4.new_code_cell("[][0]"))
    nbformat.write(told, path)
    done = call("run", "n.ipynb", check=False)
    assert done.returncode == 1
    assert "IndexError" in done.stderr


def test_a_page_fetches_nothing(call: Call, here: Path) -> None:
    """The HTML of a notebook with a chart holds the chart's own script and names no other address to load."""
    import re

    source = "import plotly.graph_objects as go\ngo.Figure(go.Scatter(x=[1], y=[2]))"
    book(here / "n.ipynb", "x = 1", source)
    call("run", "n.ipynb")
    page = (here / "build" / "n.html").read_text()
    assert "Plotly.newPlot" in page
    assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="https?://[^"]+"', page)
