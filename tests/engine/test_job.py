"""How much an answer can cost at the most."""

from __future__ import annotations

from typing import Any

import pytest

from labkit.catalog.model import Model
from labkit.engine.job import output_bound_tokens, worst_usd


@pytest.mark.parametrize(
    ("params", "max_output", "bound"),
    [
        ({"max_tokens": 5}, None, 5),
        ({"max_completion_tokens": 7}, 100, 7),
        ({"max_tokens": 5, "max_completion_tokens": 7}, None, 7),
        ({"max_output_tokens": 9}, None, 9),
        ({}, 100, 100),
        ({"max_tokens": 200}, 100, 200),
        ({"max_tokens": None}, 100, 100),
        ({"max_tokens": "5"}, None, None),
        ({}, None, None),
    ],
)
def test_the_longest_answer(
    kit: Any, params: dict[str, Any], max_output: int | None, bound: int | None
) -> None:
    """The request's own limit bounds an answer, else the model's; without either nothing does."""
    model = Model("scripted/a", max_output=max_output)
    (job,) = kit.jobs_for([model], 1, params=params)
    assert output_bound_tokens(job.request, model) == bound


def test_the_worst_case(kit: Any) -> None:
    """Bound and price give the worst case; without a bound only what is free is known to cost nothing."""
    model = Model("scripted/a")
    (bounded,) = kit.jobs_for([model], 1, params={"max_tokens": 90}, usd=0.5)
    (unbounded,) = kit.jobs_for([model], 1, params={}, usd=0.5)
    (free,) = kit.jobs_for([model], 1, params={}, usd=0.0)
    (unpriced,) = kit.jobs_for([model], 1, usd=None)
    assert [worst_usd(job, model) for job in (bounded, unbounded, free, unpriced)] == [50.0, None, 0.0, None]
