"""labkit.charts.steps: what each step of a chain costs and takes."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from labkit import charts
from labkit.errors import DefinitionError


def steps(*lines: tuple[str, str], samples: int = 2, **changes: Any) -> pd.DataFrame:
    """Chains of `facts` and `reply`: the first model costs 0.001 and takes 1 s, the second 0.002 and 3 s."""
    rows = []
    for sample in range(samples):
        for first in dict.fromkeys(first for first, _ in lines):
            rows.append(("f", None, first, sample, 1, "facts", 0.001, 1.0))
        for first, second in lines:
            rows.append(("r", first, second, sample, 2, "reply", 0.002, 3.0))
    frame = pd.DataFrame(
        [
            {
                "generation_id": f"{kind}-{parent}-{model}-{sample}",
                "parent_id": None if parent is None else f"f-None-{parent}-{sample}",
                "prompt": "p",
                "model": model,
                "sample_id": str(sample),
                "status": "done",
                "step": step,
                "step_name": name,
                "cost_usd": usd,
                "latency_s": seconds,
            }
            for kind, parent, model, sample, step, name, usd, seconds in rows
        ]
    )
    return frame.assign(**changes)


def bars(found: Any) -> dict[tuple[str, str], list[float]]:
    return {(trace.name, trace.xaxis): list(trace.x) for trace in found.data}


def test_a_line_has_its_steps_one_upon_the_other() -> None:
    """A step that two lines begin with is in the bar of each, at what 1,000 answers cost and one takes."""
    found = charts.step_costs(steps(("m/a", "m/a"), ("m/a", "m/b")))
    assert bars(found) == {
        ("facts", "x"): [1.0, 1.0],
        ("reply", "x"): [2.0, 2.0],
        ("facts", "x2"): [1.0, 1.0],
        ("reply", "x2"): [3.0, 3.0],
    }
    labels = set(found.layout.yaxis.ticktext)
    assert labels == {"m/a", "facts: m/a, reply: m/b"}
    assert "2 contenders, n = 4 answers" in found.layout.title.text


def test_only_finished_chains_are_drawn() -> None:
    """A line without its last answer is none; without any the figure says so."""
    frame = steps(("m/a", "m/a"))
    frame.loc[(frame["step"] == 2) & (frame["sample_id"] == "1"), "status"] = "failed"
    assert "n = 1 answer" in charts.step_costs(frame).layout.title.text
    frame.loc[frame["step"] == 2, "status"] = "failed"
    assert charts.step_costs(frame).layout.annotations[0].text == "No chain is finished."
    assert charts.step_costs(frame.assign(step=0)).layout.annotations[0].text == "No prompt is a chain."


def test_a_cost_that_is_not_known_is_named() -> None:
    """It is not drawn as 0."""
    frame = steps(("m/a", "m/a"), cost_usd=None)
    assert "cost not known: m/a" in charts.step_costs(frame).layout.title.subtitle.text


def test_a_frame_of_whole_answers_is_refused() -> None:
    """The message says which frame it takes."""
    with pytest.raises(DefinitionError, match=r"needs run\.generations\(steps=True\)"):
        charts.step_costs(steps(("m/a", "m/a")).drop(columns="step_name"))
