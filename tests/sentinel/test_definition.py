"""What is no sentinel, no baseline, no night is refused in words, all at once, before it costs anything."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

import labkit as lk
from labkit.errors import DefinitionError
from labkit.run.reask import reask
from tests.run.judging_kit import GRADES, Judged
from tests.sentinel.planted import Plant, Planted

NAN = math.nan
BAD: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name is ''; give a name of 1 to 100 characters"),
    ({"name": " \n"}, "name is ' \\n'; give a name"),
    ({"name": "x" * 101}, "give a name of 1 to 100 characters"),
    ({"name": "half \ud800"}, "holds half a character"),
    ({"name": None}, "name is None; give a text"),
    ({"name": 7}, "name is 7; give a text"),
    ({"baseline": ""}, "baseline is ''"),
    ({"baseline": 2026}, "baseline is 2026; give a text"),
    ({"score": []}, "score is []"),
    ({"score": ""}, "score is ''"),
    ({"score": [1]}, "score is [1]"),
    ({"score": {"exact": 1}}, "score is {'exact': 1}"),
    ({"score": 3}, "score is 3"),
    ({"score": ["half \ud800"]}, "holds half a character"),
    ({"margin": -0.1}, "margin is -0.1"),
    ({"margin": NAN}, "margin is nan"),
    ({"margin": math.inf}, "margin is inf"),
    ({"margin": None}, "margin is None"),
    ({"margin": True}, "margin is True"),
    ({"margin": "much"}, "margin is 'much'"),
    ({"margin": {"nope": 0.1}, "score": "exact"}, "margin names 'nope', which is not among the scores"),
    ({"margin": {"exact": -1}}, "margin of 'exact': it is -1"),
    ({"margin": {3: 0.1}}, "margin names 3"),
    ({"latency": 0.5}, "latency is 0.5; use a number from 1 up"),
    ({"latency": NAN}, "latency is nan"),
    ({"latency": "slow"}, "latency is 'slow'"),
    ({"cost": 0.99}, "cost is 0.99"),
    ({"cost": [1]}, "cost is [1]"),
    ({"false_alarms_per_year": 0}, "false_alarms_per_year is 0; use a number above 0"),
    ({"false_alarms_per_year": -1}, "false_alarms_per_year is -1"),
    ({"false_alarms_per_year": None}, "false_alarms_per_year is None"),
    ({"better": "up"}, "better is 'up'; use 'higher' or 'lower'"),
    ({"better": None}, "better is None"),
    ({"better": ["lower"]}, "better is ['lower']"),
    ({"better": {"exact": ["lower"]}}, "better is ['lower']"),
    ({"better": {"nope": "lower"}, "score": "exact"}, "better names 'nope'"),
    ({"confirm": 1}, "confirm is 1; use True or False"),
    ({"rows": 1}, "rows is 1; use True or False"),
    ({"rows": None}, "rows is None"),
    ({"notify": "mail"}, "mail"),
    ({"notify": []}, "command"),
    ({"notify": [1]}, "command"),
    ({"notify": ["no-such-program-here"]}, "is not found"),
    ({"notify": 5}, "command"),
]


@pytest.mark.parametrize(
    ("wanted", "why"), BAD, ids=lambda value: None if isinstance(value, str) else ascii(value)
)
def test_what_is_no_sentinel_is_refused_in_words(plant: Plant, wanted: dict[str, Any], why: str) -> None:
    """By one error that names the argument, which can be printed."""
    with pytest.raises(DefinitionError) as caught:
        plant().lab.sentinel(**{"name": "nightly"} | wanted)
    assert why in str(caught.value)
    assert str(caught.value).encode()


def test_all_faults_are_named_at_once(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """With those of the environment."""
    monkeypatch.setenv("LABKIT_WEBHOOK", "ftp://example.org/T0HIDDEN")
    with pytest.raises(DefinitionError) as caught:
        plant().lab.sentinel(
            "", margin=-1, latency=0, cost=0, false_alarms_per_year=0, better="up", confirm=2, rows=3
        )
    assert str(caught.value).startswith("9 things to mend:")
    assert "HIDDEN" not in str(caught.value)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """One lab for all that is only refused."""
    return Planted(tmp_path_factory.mktemp("refused"), rows=20)


@pytest.fixture(scope="module")
def night(world: Planted) -> lk.Run:
    """One night of it, asked once."""
    return world.night()


@pytest.mark.parametrize("what", [None, "latest", 3, [], object(), Planted])
@pytest.mark.parametrize("act", ["accept", "check"])
def test_what_is_no_run_is_neither_accepted_nor_checked(world: Planted, what: Any, act: str) -> None:
    """One sentence that names it."""
    watch = world.lab.sentinel("nightly")
    with pytest.raises(DefinitionError, match=r"give a run: lab\.run\('latest'\)"):
        getattr(watch, act)(what)


def test_nothing_to_accept_is_refused(world: Planted) -> None:
    """A call without a run."""
    with pytest.raises(DefinitionError, match="There is no run to accept"):
        world.lab.sentinel("nightly").accept()


@pytest.mark.parametrize("why", [3, "half \ud800", ["because"]])
def test_a_reason_is_a_text(world: Planted, night: lk.Run, why: Any) -> None:
    """Before anything is accepted."""
    with pytest.raises(DefinitionError, match="why is"):
        world.lab.sentinel("nightly").accept(night, why=why, force=True)
    assert world.lab.sentinel("nightly").baselines().empty


def test_force_is_true_or_false(world: Planted, night: lk.Run) -> None:
    """A word that is no switch accepts nothing by chance."""
    with pytest.raises(DefinitionError, match=r"force is 'no'"):
        world.lab.sentinel("nightly").accept(night, force="no")  # type: ignore[arg-type] - that is the test


def test_too_few_answers_and_replays_are_no_baseline_unless_forced(world: Planted, night: lk.Run) -> None:
    """All that is wrong is said at once; forced, it is one, and known to have been."""
    watch = world.lab.sentinel("forced")
    with pytest.raises(DefinitionError) as caught:
        watch.accept(replayed := world.night(fresh=False))
    assert "are replays; ask fresh=True" in str(caught.value)
    assert "its rows have 0 answers each" in str(caught.value)
    assert "force=True" in str(caught.value)
    with pytest.raises(DefinitionError, match="its rows have 1 answer each"):
        watch.accept(night)
    assert watch.baselines().empty
    watch.accept(night, force=True)
    assert watch.baselines()["forced"].tolist() == [True]
    assert replayed.run_id not in watch.baselines()["run_ids"].iloc[0]


def test_fewer_than_twenty_rows_are_none_though_forced(world: Planted) -> None:
    """They show nothing."""
    few = world.night(dataset=world.data[:19], repeats=3)
    with pytest.raises(DefinitionError, match="fewer than 20 show nothing") as caught:
        world.lab.sentinel("few").accept(few, force=True)
    assert "force=True" not in str(caught.value)


def test_runs_of_different_prompts_versions_or_models_are_no_repeats_of_one(world: Planted) -> None:
    """Neither another prompt, nor another version of it, nor another model."""
    watch = world.lab.sentinel("mixed")
    base = world.night(repeats=3)
    others = [
        world.night(repeats=3, prompts=[lk.Prompt("other", "Say {{ n }}")]),
        world.night(repeats=3, prompts=[lk.Prompt("ask", "Please say {{ n }}")]),
    ]
    world.models = ("m", "k")
    others.append(world.night(repeats=3))
    world.models = ("m",)
    for other in others:
        with pytest.raises(DefinitionError, match="did not ask the same prompts"):
            watch.accept(base, other)
    assert watch.baselines().empty


def test_a_run_that_is_not_finished_is_no_baseline(world: Planted) -> None:
    """One that was stopped half-way by its budget."""
    run = world.night(repeats=5, budget_usd=0.005, params={"max_tokens": 10})
    assert run.status == "stopped"
    with pytest.raises(DefinitionError, match="is stopped, not finished"):
        world.lab.sentinel("half").accept(run)


def test_runs_of_verdicts_and_re_asks_are_no_nights(tmp_path: Any) -> None:
    """They are named as what they are, with the run that is meant."""
    judge = Judged("yes")
    world = Planted(
        tmp_path, rows=20, score=[lk.judge("good", "Is it good?", model=judge.model, grades=GRADES)]
    )
    run = world.night(repeats=3)
    verdicts = world.lab.run(world.lab.runs(kind="judge")["run_id"].iloc[-1])
    again = reask(run, [], {("ask", "scripted/m")}, lambda: world.plan().design)
    watch = world.lab.sentinel("nightly")
    acts: list[Callable[[lk.Run], Any]] = [watch.accept, watch.check]
    for act in acts:
        with pytest.raises(DefinitionError, match=f"holds verdicts on the answers of run {run.run_id}"):
            act(verdicts)
        with pytest.raises(DefinitionError, match=f"asked once more what was asked in run {run.run_id}"):
            act(again)
    assert watch.checks().empty
