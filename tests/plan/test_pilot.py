"""labkit.plan.pilot, and `plan.pilot`: a few cells first, kept as ordinary answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

import labkit as lk
from labkit.catalog.model import Model
from labkit.datasets import load
from labkit.design import Design, build
from labkit.errors import DefinitionError
from labkit.plan.plan import pilot_cells
from labkit.prompts import Prompt

Echo = Callable[..., Any]
ROWS = [{"n": f"number {n}"} for n in range(30)]


def made(rows: int, repeats: int) -> Design:
    """Two prompts × two models over some samples."""
    models = [Model(f"scripted/{name}", client=lk.Script(["x"], version="1")) for name in "ab"]
    return build(
        experiment="e",
        workspace="w",
        prompts=[Prompt("p", "Say {{ n }}"), Prompt("q", "Shout {{ n }}")],
        models=models,
        params=[{}, {}],
        dataset=load([{"n": n} for n in range(rows)]),
        repeats=repeats,
    )


@given(
    rows=st.integers(1, 12),
    repeats=st.integers(1, 3),
    n=st.integers(1, 15),
    seed=st.integers(0, 99),
    cut=st.sets(st.integers(0, 143)),
)
def test_a_draw_is_balanced(rows: int, repeats: int, n: int, seed: int, cut: set[int]) -> None:
    """Every prompt × model has n cells (or all it has), of as many samples as it has, each cell once."""
    whole = made(rows, repeats)
    design = whole.keep(i for i in range(len(whole.places)) if i not in cut)
    chosen = pilot_cells(design, n, seed=seed)
    assert len(set(chosen)) == len(chosen)
    has = Counter(place[:2] for place in design.places)
    got = Counter(design.places[i][:2] for i in chosen)
    assert got == {pair: min(n, count) for pair, count in has.items()}
    for pair in has:
        samples = {design.places[i].sample for i in chosen if design.places[i][:2] == pair}
        there = {place.sample for place in design.places if place[:2] == pair}
        assert len(samples) == min(n, len(there))


@given(st.integers(1, 10), st.integers(0, 9))
def test_a_larger_draw_holds_the_smaller(n: int, seed: int) -> None:
    """The same seed draws the same, and more cells include those drawn before, so they are free."""
    design = made(12, 2)
    assert pilot_cells(design, n, seed=seed) == pilot_cells(design, n, seed=seed)
    assert set(pilot_cells(design, n, seed=seed)) <= set(pilot_cells(design, n + 1, seed=seed))


def test_prompts_and_models_are_asked_the_same_samples() -> None:
    """In a full product each prompt × model has the same samples, and another seed draws others."""
    design = made(50, 1)
    by_pair: dict[Any, set[int]] = {}
    for i in pilot_cells(design, 5, seed=0):
        by_pair.setdefault(design.places[i][:2], set()).add(design.places[i].sample)
    assert len(by_pair) == 4
    assert len({frozenset(samples) for samples in by_pair.values()}) == 1
    assert pilot_cells(design, 5, seed=0) != pilot_cells(design, 5, seed=1)


@pytest.mark.parametrize("n", [0, -1, 1.5, "10", True, None])
def test_a_pilot_is_a_whole_number(lab: lk.Lab, echo: Echo, n: Any) -> None:
    """A number of cells that is none is refused before anything is asked."""
    plan = lab.plan(prompts=["Say {{ n }}"], models=[echo()], dataset=ROWS)
    with pytest.raises(DefinitionError, match="whole number"):
        plan.pilot(n)
    assert lab.runs().empty


def test_the_full_run_replays_the_pilot(lab: lk.Lab, echo: Echo) -> None:
    """Each cell is asked once over pilot and full run together, and both are runs of the lab."""
    asked: list[str] = []

    def answer(request: Any) -> str:
        asked.append(request.request_id)
        return "word " * (1 + len(asked) % 7)

    plan = lab.plan(
        prompts=["Say {{ n }}", "Shout {{ n }}"], models=[echo(answers=answer)], dataset=ROWS, repeats=2
    )
    pilot = plan.pilot(6)
    assert (pilot.status, len(pilot.generations()), len(asked)) == ("finished", 12, 12)
    assert plan.estimate().known == 12
    run = plan.run()
    assert len(asked) == len(plan) == 120
    assert run.generations()["replayed_from"].notna().sum() == 12
    assert len(lab.runs()) == 2
    assert plan.known.why.count("") == 120


def test_a_pilot_recalibrates_the_estimate(lab: lk.Lab, echo: Echo) -> None:
    """After a pilot the same plan's range is narrower, says from what, and the true cost lies in it."""
    model = echo(answers=lambda request: "word " * (5 + crc32(request.request_id.encode()) % 20)).replace(
        prices={"input": 1, "output": 10}
    )
    plan = lab.plan(prompts=["Say {{ n }}"], models=[model], dataset=ROWS, params={"max_tokens": 200})
    before = plan.estimate()
    plan.pilot(10, budget_usd=1)
    after = plan.estimate()
    assert after.parts[0].requests == 20
    assert after.cost_low_usd > before.cost_low_usd
    assert after.cost_high_usd < before.cost_high_usd
    assert after.seconds is not None
    assert any("output from 10 answers of this prompt and model" in words for words in after.assumptions)
    rows = plan.run().generations()
    paid = rows.loc[rows["replayed_from"].isna(), "cost_usd"].sum()
    assert after.cost_low_usd <= paid <= after.cost_high_usd


def test_a_pilot_keeps_to_its_budget(lab: lk.Lab, echo: Echo) -> None:
    """A pilot under a budget that does not reach stops like any run, and asks nothing."""
    model = echo().replace(prices={"input": 1000, "output": 1000})
    plan = lab.plan(prompts=["Say {{ n }}"], models=[model], dataset=ROWS, params={"max_tokens": 64})
    pilot = plan.pilot(3, budget_usd=0.0001)
    assert set(pilot.generations()["status"]) == {"stopped"}
    assert not any("output from" in words for words in plan.estimate().assumptions)
