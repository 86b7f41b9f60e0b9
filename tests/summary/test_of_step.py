"""labkit.summary.of_step: chains compared by the model of one step."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.contender import joined
from labkit.errors import DefinitionError
from labkit.summary.of_step import of_step
from labkit.verdict import verdict

STEPS = ("facts", "reply")


def crossed(effect: tuple[float, float], *, samples: int, seed: int) -> pd.DataFrame:
    """Every combination of models a and b on two steps; b is right so much more often, step by step."""
    rng = np.random.default_rng(seed)
    hard = rng.normal(size=samples)
    rows = []
    for first in "ab":
        for second in "ab":
            chance = 0.5 + 0.1 * hard + (first == "b") * effect[0] + (second == "b") * effect[1]
            right = rng.random(samples) < chance
            models = dict(zip(STEPS, (first, second), strict=True))
            name = first if first == second else joined(models.items())
            rows += [(name, str(sample), float(one)) for sample, one in enumerate(right)]
    frame = pd.DataFrame(rows, columns=["model", "sample_id", "score.ok"])
    return frame.assign(prompt="p", status="done", repeat=0, steps=2)


def main_effect(frame: pd.DataFrame, step: str) -> tuple[float, float, float]:
    """What the verdict says of b against a on one step: difference and interval."""
    (row,) = verdict(frame, by=f"step:{step}", bounds=(0, 1), step=1).frame().to_dict("records")
    sign = 1 if row["first"] == "b" else -1
    ends = sorted((sign * row["low"], sign * row["high"]))
    return sign * row["difference"], ends[0], ends[1]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 40))
def test_a_main_effect_is_a_difference_of_means(seed: int, samples: int) -> None:
    """On a balanced table it is the mean of all lines with one model less that of all with the other."""
    frame = crossed((0.1, -0.1), samples=samples, seed=seed)
    first = frame["model"].map(lambda name: name.split("facts: ")[-1][0])
    by_hand = frame.groupby(first)["score.ok"].mean()
    assert main_effect(frame, "facts")[0] == pytest.approx(by_hand["b"] - by_hand["a"], abs=1e-12)


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 40))
def test_other_steps_are_held_equal_as_prompts_are(seed: int, samples: int) -> None:
    """Who answered the other steps is to a step's models what the prompt is to models: the verdict is the
    same in every figure."""
    frame = crossed((0.1, -0.1), samples=samples, seed=seed)
    facts, reply = (
        frame["model"].map(lambda name, step=step: name.split(f"{step}: ")[-1][0]) for step in STEPS
    )
    of_models = verdict(frame.assign(model=facts, prompt=reply), by="model", bounds=(0, 1), step=1)
    of_steps = verdict(frame, by="step:facts", bounds=(0, 1), step=1)
    pd.testing.assert_frame_equal(of_steps.frame(), of_models.frame(), check_exact=True)


@pytest.mark.soak
def test_the_interval_of_a_main_effect_holds() -> None:
    """The 95 % interval has the true effect in it within 2 points of that, and of what chance allows."""
    studies, held = 4_000, 0
    for seed in range(studies):
        _, low, high = main_effect(crossed((0.1, 0.05), samples=60, seed=seed), "facts")
        held += low <= 0.1 <= high
    by_chance = 3 * (0.95 * 0.05 / studies) ** 0.5
    assert abs(held / studies - 0.95) <= 0.02 + by_chance


@pytest.mark.parametrize("by", ["step:tone", ["step:facts", "prompt"], ["step:facts", "step:reply"]])
def test_what_is_no_step_is_refused(by: str | list[str]) -> None:
    """A step that no chain has, and more than one thing, cannot be compared."""
    with pytest.raises(DefinitionError, match="by="):
        of_step(crossed((0, 0), samples=2, seed=0), by)


def test_whole_chains_are_not_compared_by_a_step() -> None:
    """Where one model answered all steps, the message says by what to compare and how to ask others."""
    frame = crossed((0, 0), samples=2, seed=0)
    whole = frame[frame["model"].isin(["a", "b"])]
    with pytest.raises(DefinitionError, match=r"by='model'.*lk\.per_step\(facts="):
        of_step(whole, "step:facts")
    with pytest.raises(DefinitionError, match="no prompt of this run is a chain"):
        of_step(whole.assign(steps=None), "step:facts")


def test_a_step_of_one_model_names_the_step_to_compare() -> None:
    """What the headline tells to write is a step that several models answered, and it can be written so."""
    frame = crossed((0, 0), samples=20, seed=0)
    second_alike = frame[frame["model"].isin(["b", joined([("facts", "a"), ("reply", "b")])])]
    headline = verdict(second_alike, by="step:reply", bounds=(0, 1), step=1).headline
    assert headline.endswith("its other steps can be compared: by='step:facts'.")
    assert verdict(second_alike, by="step:facts", bounds=(0, 1), step=1).frame().shape[0] == 1


def test_prices_and_times_of_a_step_are_said_to_be_those_of_chains() -> None:
    """Of whose steps are compared the rest is in them too."""
    frame, note = crossed((0, 0), samples=20, seed=0), "prices and times are those of whole chains"
    assert note in verdict(frame, by="step:facts", bounds=(0, 1), step=1).notes
    assert note not in verdict(frame, by="model", bounds=(0, 1), step=1).notes


def test_what_is_asked_of_one_prompt_alone_is_told() -> None:
    """Models that only one of two prompts was asked with tell nothing of these, and it is said how many."""
    frame = crossed((0, 0), samples=20, seed=0)
    single = frame[frame["model"] == "a"].assign(prompt="q", steps=None)
    notes = verdict(pd.concat([frame, single]), by="prompt", bounds=(0, 1), step=1).notes
    assert "answers not compared, for lack of others with the same sample and model: 75 % of p" in notes
    whole = verdict(frame, by="model", bounds=(0, 1), step=1).notes
    assert not any("lack of others" in note for note in whole)


def test_prompts_and_models_are_left_as_they_are() -> None:
    """Without a step nothing is changed."""
    frame = crossed((0, 0), samples=2, seed=0)
    same, keys = of_step(frame, "model")
    assert same is frame
    assert keys == ["model"]
