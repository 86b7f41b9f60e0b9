"""What scores and answers lack is told wherever they are read: at the end, in tables, grid and report."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.errors import DefinitionError
from labkit.providers.script import Reply
from labkit.widgets.grid import LiveGrid
from labkit.widgets.results import Results

Echo = Callable[..., Any]
ROWS = [{"id": str(n), "n": n, "target": "x"} for n in range(4)]
FAILED = "scorer 'dept' failed on 4 of 4 answers: KeyError: 'no column <b>"
CUT = "3 of 4 answers ended at max_tokens: give a larger max_tokens"
EMPTY = "1 of 4 answers is empty"
REFUSED = "1 of 4 answers is a refusal"


def dept(generation: Any, sample: Any) -> float:
    raise KeyError("no column <b>\x1b[31m")


REPLIES = [
    *[Reply(text="a", stop_reason="max_tokens")] * 2,
    Reply(text=" \n", stop_reason="max_tokens"),
    Reply(text="I will not.", stop_reason="refusal"),
]


@pytest.fixture
def plan(lab: lk.Lab, echo: Echo) -> Any:
    """Its scorer fails and its answers are cut, empty or refused; nothing of it will be called failed."""
    model = echo(answers=REPLIES)
    return lab.plan(prompts=["Say {{ n }}"], models=[model], dataset=ROWS, scorers=[dept])


@pytest.fixture
def made(plan: Any) -> lk.Run:
    """That plan's run."""
    found: lk.Run = plan.run()
    return found


def test_the_end_of_a_run_tells_it(plan: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, with how many of how many, the reason or the advice, and nothing alive in it."""
    plan.run(progress="lines")
    said = capsys.readouterr().out
    for words in (FAILED, CUT, EMPTY, REFUSED):
        assert said.count(words) == 1
    assert "\x1b" not in said


def test_a_run_with_nothing_amiss_says_nothing(
    lab: lk.Lab, echo: Echo, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whole answers and a scorer that works need no word."""
    run = lab.plan(prompts=["Say {{ n }}"], models=[echo()], dataset=ROWS, scorers=[lk.exact("target")]).run(
        progress="lines"
    )
    shown = capsys.readouterr().out + repr(run.summary())
    assert not any(word in shown for word in ("failed on", "max_tokens", "empty", "refusal"))


def test_scoring_later_warns_and_mending_ends_it(
    lab: lk.Lab, echo: Echo, caplog: pytest.LogCaptureFixture
) -> None:
    """`run.score` with a scorer that fails is told at once and under the summary, until it is mended."""
    run = lab.plan(prompts=["Say {{ n }}"], models=[echo()], dataset=ROWS).run()
    with caplog.at_level(logging.WARNING, logger="labkit.run"):
        run.score(dept)
    assert FAILED in caplog.text
    assert FAILED in repr(run.summary())
    run.score(lk.Scorer("dept", lambda generation, sample: 1.0))
    assert "failed on" not in repr(run.summary())


def test_every_table_page_and_value_tells_it(made: lk.Run, here: Path) -> None:
    """Summary, verdict, report in both forms, card: none of them calls this run whole."""
    summary = made.summary()
    assert summary[["failed", "cut", "empty", "refused"]].iloc[0].tolist() == [0, 3, 1, 1]
    verdict = made.verdict()
    page = made.report(here / "r.html").read_text(encoding="utf-8")
    plain = made.report(here / "r.md").read_text(encoding="utf-8").replace("\\", "")
    missing = {
        "html": page.partition("<h2>Missing data</h2>")[2].partition("<h2>")[0],
        "md": plain.partition("## Missing data")[2].partition("\n## ")[0],
    }
    for told in (repr(summary), summary._repr_html_(), str(verdict), page, plain, *missing.values()):
        assert "failed on 4 of 4 answers: KeyError" in told
        assert "3 of 4 answers ended at max_tokens" in told
        assert "1 of 4 answers is empty" in told
        assert "\x1b" not in told
    assert "<b>⟨" not in page
    assert FAILED in repr(verdict)
    assert made.card()["summary"][0]["cut"] == 3
    assert made.chart("scores").layout.annotations[0].text.startswith("Scorer 'dept' failed")


def test_the_grid_tells_it_while_it_goes_and_from_history(made: lk.Run, lab: lk.Lab) -> None:
    """The same notes for a run that was driven here and one that is read from the lab, and in the page that
    is saved."""
    assert made.progress is not None
    driven, read = made.progress, LiveGrid(lab.run(made.run_id))
    assert driven.notes == read._live.notes
    assert [note.partition(":")[0] for note in driven.notes] == [
        "3 of 4 answers ended at max_tokens",
        "1 of 4 answers is empty",
        "1 of 4 answers is a refusal",
        "scorer 'dept' failed on 4 of 4 answers",
    ]
    assert "3 cut · 1 empty · 1 refused" in driven.line()
    assert read._pencil.head()["notes"] == driven.notes
    page = read._repr_mimebundle_()[0]["text/html"]
    assert "KeyError: &#x27;no column &lt;b&gt;" in page
    assert read.still["notes"] == driven.notes


def test_the_workbench_tells_it(made: lk.Run) -> None:
    """Its summary tab is the summary, notes and all."""
    from labkit.widgets.forms import Status

    results = Results(Status())
    results.show(made)
    results.tabs.selected_index = 1
    assert "failed on 4 of 4 answers" in results._summary.value


def test_it_is_exported(made: lk.Run, here: Path) -> None:
    """The summary's file has the counts as columns."""
    heads = made.export(here / "s.csv", table="summary").read_text(encoding="utf-8").splitlines()[0]
    assert '"cut","empty","refused"' in heads


def test_replays_count_like_their_originals(made: lk.Run, plan: Any) -> None:
    """The same plan again asks nobody, and its table says the same of its answers."""
    counts = plan.run().summary()[["replayed", "cut", "empty", "refused"]]
    assert counts.iloc[0].tolist() == [4, 3, 1, 1]


def test_no_bounds_are_missed_where_no_answer_has_a_score(lab: lk.Lab, echo: Echo) -> None:
    """Bounds that were declared, and broken by each answer, are not said to be undeclared; of a score that
    answers have without any it is said."""
    tone = lk.Scorer("tone", lambda generation, sample: 7, low=0, high=5)
    free = lk.Scorer("free", lambda generation, sample: 7)
    run = lab.plan(
        prompts=["Say {{ n }}"], models=[echo("a"), echo("b")], dataset=ROWS, scorers=[tone, free]
    ).run()
    verdict = run.verdict("tone")
    assert verdict.notes[0] == "score: tone, no answer has it"
    assert "the value 7 lies outside the declared 0 to 5" in str(verdict)
    assert run.verdict("free").notes[0] == "score: free, no bounds declared"


def test_two_scorers_are_both_shown_and_a_report_names_the_other(lab: lk.Lab, echo: Echo, here: Path) -> None:
    """Neither the table nor the verdict picks one without a word; a card tells the one it picked."""
    run = lab.plan(
        prompts=["Say {{ n }}"], models=[echo("a"), echo("b")], dataset=ROWS,
        scorers=[lk.exact("target"), lk.contains("n"), dept],
    ).run()  # fmt: skip
    shown = repr(run.summary())
    assert "score: contains" in shown
    assert "score: exact" in shown
    assert "scored too: contains, dept; see one by run.verdict('contains')" in run.verdict().notes[0]
    assert not any("scored too" in note for note in run.verdict("exact").notes)
    page = run.report(here / "r.html").read_text(encoding="utf-8")
    missing = page.partition("<h2>Missing data</h2>")[2].partition("<h2>")[0]
    assert "Scorer &#x27;dept&#x27; failed on 8 of 8 answers" in missing
    assert run.card()["summary"][0]["score"] == 0.0
    assert run.card(score="contains")["summary"][0]["score"] == 1.0
    for told in (run.verdict().headline, page.partition("<strong>")[2], run.card()["verdict"]["headline"]):
        assert told.startswith("By exact: ")


def test_a_run_of_history_is_resumed_where_it_stopped(lab: lk.Lab, echo: Echo) -> None:
    """In the same run it asks what is missing and nothing twice, under the budget it had unless another is
    given; a scorer of one's own is asked for rather than forgotten."""
    asked: list[str] = []

    def answer(request: Any) -> str:
        asked.append(request.messages[-1]["content"])
        return "ok " * 10

    def model() -> lk.Model:
        script = lk.Script(answer, version="1")
        return lk.Model("scripted/m", client=script, prices={"input": 1000.0, "output": 1000.0})

    rows = [{"n": n} for n in range(10)]
    scorers = [lk.Scorer("own", lambda generation, sample: 1), lk.contains("n")]
    plan = lab.plan(
        prompts=["Say {{ n }}"], models=[model()], dataset=rows, scorers=scorers, params={"max_tokens": 10}
    )
    run = plan.run(budget_usd=0.13)
    had = len(asked)
    assert run.status == "stopped"
    assert 0 < had < 10
    found = lk.Lab(lab.path, models=[model()]).run(run.run_id)
    with pytest.raises(DefinitionError, match=r"was scored by 'own', of.*resume\(scorers=\[…\]\)"):
        found.resume()
    assert found.resume(scorers=scorers).status == "stopped"
    assert len(asked) == had
    resumed = found.resume(scorers=scorers, budget_usd=10)
    assert (resumed.run_id, resumed.status) == (run.run_id, "finished")
    assert sorted(asked) == sorted(f"Say {n}" for n in range(10))
    assert resumed.generations()["score.contains"].notna().all()


def test_what_cannot_be_steered_from_here_says_what_can_be_done(made: lk.Run, lab: lk.Lab) -> None:
    """A run from history has no buttons; the message names the way on."""
    with pytest.raises(lk.errors.LabkitError, match=rf"lab\.run\('{made.run_id}'\)\.resume\(\)"):
        lab.run(made.run_id).stop()
