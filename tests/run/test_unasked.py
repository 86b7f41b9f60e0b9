"""What a run left unasked: said with why, and with what asking it would cost."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import labkit as lk
from labkit.dollars import usd
from labkit.providers.script import Reply

Echo = Callable[..., Any]
ROWS = [{"n": str(number)} for number in range(10)]
DEAR = {"input": 1000.0, "output": 1000.0}


def test_a_run_that_lacks_money_says_what_the_rest_costs(lab: lk.Lab, echo: Echo) -> None:
    """It tells how many cells are left, what they cost at most, and what at the mean of the answers so far;
    the mean is theirs when they are asked, and then nothing is left."""
    model = echo("dear", answers=lambda request: "ok " * 10).replace(prices=DEAR)
    plan = lab.plan(prompts=["Say {{ n }}"], models=[model], dataset=ROWS, params={"max_tokens": 10})
    run = plan.run(budget_usd=0.13)
    frame = run.generations()
    count = (frame["status"] == "stopped").sum()
    assert run.left is not None
    assert run.left.startswith(f"{count} cells were not asked: The next request may cost up to USD ")
    most_usd = float(run.left.partition("cost at most USD ")[2].split(",")[0])
    about_usd = float(run.left.partition("about USD ")[2].split()[0])
    spent_usd = frame["cost_usd"].sum()
    again = run.resume(budget_usd=most_usd + spent_usd)
    assert again.status == "finished"
    assert again.left is None
    asked_usd = again.generations()["cost_usd"].sum() - spent_usd
    assert abs(asked_usd - about_usd) < 0.01
    assert asked_usd <= most_usd


def test_what_is_left_is_shown(lab: lk.Lab, echo: Echo) -> None:
    """The run's repr and its HTML say it, as text; a run that asked all says nothing of the kind."""
    model = echo("dear").replace(prices=DEAR)
    plan = lab.plan(prompts=["Say {{ n }}"], models=[model], dataset=ROWS, params={"max_tokens": 10})
    run = plan.run(budget_usd=0)
    assert run.left is not None
    assert run.left in repr(run)
    assert "\n" not in repr(run)
    assert "10 cells were not asked" in run._repr_html_()
    free = lab.plan(prompts=["Say {{ n }}"], models=[echo("free")], dataset=ROWS).run()
    assert free.left is None
    assert "not asked" not in repr(free)


def test_a_cost_that_is_not_known_is_said(lab: lk.Lab, echo: Echo) -> None:
    """Cells of a model without a price, left when the money was used up, are told apart from the others."""
    dear = echo("dear").replace(prices=DEAR)
    unpriced = lk.Model("elsewhere/model", base_url="http://127.0.0.1:9/v1")
    plan = lab.plan(prompts=["Say {{ n }}"], models=[dear, unpriced], dataset=ROWS, params={"max_tokens": 10})
    run = plan.run(budget_usd=0.001, allow_unpriced=True)
    assert run.left is not None
    count = (run.generations()["status"] == "stopped").sum()
    assert f"The remaining {count} cost at most USD" in run.left
    assert "for 10 of them, and for the others nobody knows what." in run.left


def test_what_was_stopped_by_hand_is_counted_and_priced(lab: lk.Lab, echo: Echo) -> None:
    """Cells not asked for another reason are told with it, how many they are, and what asking them costs."""
    slow = echo("slow", first_token_s=0.2).replace(concurrency=1)
    run = lab.plan(prompts=["Say {{ n }}"], models=[slow], dataset=ROWS).start()
    run.stop("enough seen")
    run.wait()
    count = (run.generations()["status"] == "stopped").sum()
    asks = "`run.resume()` asks them."
    assert run.left == (
        f"{count} cells were not asked: The run was stopped: enough seen. "
        f"The remaining {count} cost nothing. {asks}"
    )
    dear = slow.replace(id="scripted/dear", prices=DEAR)
    plan = lab.plan(prompts=["Say {{ n }}"], models=[dear], dataset=ROWS, params={"max_tokens": 10})
    run = plan.start()
    run.stop("interrupted")
    run.wait()
    assert "cells were not asked: The run was stopped: interrupted. The remaining " in run.left
    assert "cost at most USD" in run.left
    assert run.left.endswith(asks)
    assert run.status == "stopped"
    assert run.resume().left is None


def test_a_budget_is_shown_with_what_earlier_launches_spent(lab: lk.Lab, echo: Echo) -> None:
    """The line of a resumed run counts towards its budget what the run spent before, as the budget does."""
    model = echo("dear", answers=lambda request: "ok " * 10).replace(prices=DEAR)
    plan = lab.plan(prompts=["Say {{ n }}"], models=[model], dataset=ROWS, params={"max_tokens": 10})
    run = plan.run(budget_usd=0.13)
    first_usd = run.generations()["cost_usd"].sum()
    again = run.resume(budget_usd=9)
    spent_usd = again.generations()["cost_usd"].sum()
    added = f"USD {usd(spent_usd - first_usd)} of it by this launch"
    assert f"USD {usd(spent_usd)} of 9.00, {added}" in again.progress.line()


def test_a_run_that_was_broken_off_counts_what_is_missing(lab: lk.Lab, echo: Echo) -> None:
    """Who leaves in a hurry counts nothing; who reads the run later is told how many answers it lacks."""
    slow = echo("slow", first_token_s=0.2).replace(concurrency=1)
    run = lab.plan(prompts=["Say {{ n }}"], models=[slow], dataset=ROWS).start()
    run._launch.abort("the process ended")
    run.wait()
    missing = (run.generations()["status"] != "done").sum()
    assert lab.run(run.run_id).left == (
        f"{missing} of 10 cells have no finished answer: the process ended. "
        f"`lab.again('{run.run_id}').run()` asks them."
    )


def test_a_launch_that_paid_nothing_says_so_in_a_word(lab: lk.Lab, echo: Echo) -> None:
    """What was spent is the run's; a launch that had nothing left to ask adds "nothing", and no zero."""
    model = echo("dear").replace(prices=DEAR)
    plan = lab.plan(prompts=["Say {{ n }}"], models=[model], dataset=ROWS, params={"max_tokens": 10})
    run = plan.run().resume()
    assert f"USD {usd(run.generations()['cost_usd'].sum())}, nothing by this launch" in run.progress.line()


def test_the_line_of_a_resumed_run_tells_the_runs_totals(lab: lk.Lab, echo: Echo) -> None:
    """How many are cut, of how many answers, and what they cost are the whole run's, and beside it stands
    what this launch added; the first launch has no such words."""
    cut = Reply(text="ok " * 10, stop_reason="max_tokens")
    model = echo("dear", answers=lambda request: cut).replace(prices=DEAR)
    plan = lab.plan(prompts=["Say {{ n }}"], models=[model], dataset=ROWS, params={"max_tokens": 10})
    run = plan.run(budget_usd=0.13)
    first_usd = run.generations()["cost_usd"].sum()
    before = (run.generations()["status"] == "done").sum()
    assert 0 < before < 10
    assert "by this launch" not in run.progress.line()
    run = run.resume(budget_usd=math.inf)
    all_usd = run.generations()["cost_usd"].sum()
    added = f"USD {usd(all_usd)}, USD {usd(all_usd - first_usd)} of it by this launch"
    assert run.progress.line().startswith(f"10 of 10 · {before} done by an earlier launch · 10 cut · {added}")
    assert run.progress.notes[0].startswith("10 of 10 answers ended at max_tokens")
    assert f"USD {usd(all_usd)}" in run.progress.tallies["scripted/dear"].words
