"""labkit.run.run_frames: the rows of one run, in the order in which they were planned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import labkit as lk

KEYS = ["sample_id", "repeat", "prompt", "model"]
SAMPLES = ["s-9", "s-2", "s-7", "s-1"]
PROMPTS = ["zoo", "ape"]
MODELS = ["scripted/late", "scripted/early"]


@pytest.fixture
def plan(lab: Any) -> Any:
    """Names whose alphabet says the contrary of the plan; twice asked."""
    made = [lk.Model(name, client=lk.Script(lambda r: "yes", version="1")) for name in MODELS]

    def plan(prompts: list[str] = PROMPTS, **given: Any) -> Any:
        return lab.plan(
            prompts=[lk.Prompt(name, name + " {{ text }}") for name in prompts],
            models=made,
            dataset=[{"id": one, "text": one} for one in SAMPLES],
            repeats=2,
            **given,
        )

    return plan


def planned() -> list[tuple[Any, ...]]:
    return [(s, r, p, m) for s in SAMPLES for r in range(2) for p in PROMPTS for m in MODELS]


def keys(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    return list(frame[KEYS].itertuples(index=False, name=None))


def test_a_first_run_and_its_replay_are_read_in_the_order_of_the_plan(
    lab: Any, plan: Any, here: Path
) -> None:
    """Samples stand as in the dataset and contenders as in the plan, though requests are asked in mixed
    order; in what is exported too."""
    first = plan().run(progress="none")
    assert keys(lab.generations()) != planned()  # it was mixed, and history keeps the order of time
    again = plan(experiment="again").run(progress="none")
    for run in (first, again, lab.run(first.run_id)):
        assert keys(run.generations()) == keys(run.generations(columns=KEYS)) == planned()
        assert run.generations().attrs["plan"] == {"prompts": PROMPTS, "models": MODELS, "scorers": []}
    path = here / "rows.csv"
    assert keys(pd.read_csv(first.export(path))) == planned()


def test_answers_side_by_side_stand_as_planned(plan: Any) -> None:
    """`outputs()` has its rows as the dataset has samples and its columns as the plan has contenders, also
    where the first sample lacks some."""
    run = plan().run(progress="none")
    assert list(run.outputs().columns) == [(p, m) for p in PROMPTS for m in MODELS]
    assert list(run.outputs().index) == [(s, r) for s in SAMPLES for r in range(2)]
    frame = plan().frame()
    first = (frame["sample_id"] == SAMPLES[0]) & (frame["prompt"] == PROMPTS[0])
    cut = plan(experiment="cut").select(~first).run(progress="none")
    assert list(cut.outputs().columns) == [(p, m) for p in PROMPTS for m in MODELS]


def test_the_first_score_is_the_first_of_the_plan(lab: Any, plan: Any) -> None:
    """In the frame, summary and verdict; also of a run that was stopped and resumed, and what is scored
    afterwards comes last, whatever the alphabet says."""
    marks = [lk.Scorer(name, lambda generation, sample: True, low=0, high=1) for name in ("mild", "able")]
    last = lk.Scorer("aardvark", lambda generation, sample: True, low=0, high=1)
    run = plan(scorers=marks).run(progress="none")
    run.score(last)
    for known in (run, lab.run(run.run_id), run.resume(progress="none")):
        frame = known.generations(columns=["score.*"])
        assert list(frame.columns) == ["score.mild", "score.able", "score.aardvark"]
        heads = [name for name in known.summary().columns if name.startswith("score.")]
        assert heads == list(frame.columns)
        assert known.verdict().scorer == "mild"
