"""How often the true cost of the rest of a study of chains lies in the range that follows a pilot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any
from zlib import crc32

import numpy as np
import pytest

import labkit as lk
from labkit.catalog.listed import Rate
from labkit.catalog.model import Model
from labkit.catalog.prices import Pricer
from labkit.catalog.rates import Rates
from labkit.datasets import load
from labkit.design import Design, build
from labkit.plan.forecast import forecast
from labkit.plan.past_answers import Seen
from tests.plan.test_estimate_coverage import simulated

MODELS = tuple(Model(f"scripted/{name}", client=lk.Script(["x"], version="1")) for name in "ab")
PILOT, ROWS = 10, 110
CHAINS = {
    2: lk.Chain("two", lk.Step("facts", "List: {{ text }}"), lk.Step("reply", "Say {{ facts }}: {{ text }}")),
    3: lk.Chain(
        "three",
        lk.Step("facts", "List: {{ text }}"),
        lk.Step("draft", "Draft: {{ facts }}"),
        lk.Step("reply", "Better: {{ draft }} Facts: {{ facts }}"),
    ),
}


@dataclass(frozen=True)
class Kind:
    """One kind of study: how long the answers of each step are, under which limit, and what each step's
    tokens cost, in and out, in USD for a million."""

    steps: int
    data: tuple[str, ...]
    limit: int
    usd: tuple[tuple[float, float], ...]

    @property
    def name(self) -> str:
        """Data, limit and prices."""
        return f"{self.steps} | {self.data} | {self.limit} | {self.usd}"


SAME, LATE, FREE = ((1, 10), (1, 10)), ((0, 0), (1, 4)), ((0, 0), (1, 0))
"""Both models alike; the first free; of the second only what goes in costs something."""
KINDS = [
    Kind(2, (first, then), limit, usd)
    for first, limit in (
        ("lognormal, sigma 0.6", 1024),
        ("lognormal, sigma 1.5", 1024),
        ("lognormal, sigma 2.5", 4096),
        ("10% of rows × 100", 8192),
        ("labels of 3, 1% run away", 4096),
        ("20% reason", 4096),
    )
    for then in ("constant", "lognormal, sigma 0.6")
    for usd in (SAME, LATE, FREE)
] + [
    Kind(3, (first, "lognormal, sigma 1.0", "constant"), 4096, usd)
    for first in ("lognormal, sigma 1.5", "labels of 3, 1% run away")
    for usd in (SAME, FREE)
]


def design(kind: Kind) -> Design:
    """A chain whose first step the first model answers, and all others the second."""
    words = np.ceil(np.random.default_rng(1).lognormal(3, 0.7, ROWS))
    lines = [(0, *[1] * (kind.steps - 1))]
    return build(
        experiment="e",
        workspace="w",
        prompts=[CHAINS[kind.steps]],
        models=MODELS,
        params=[{"max_tokens": kind.limit}] * 2,
        dataset=load([{"text": f"{n} {'word ' * int(many)}"} for n, many in enumerate(words)]),
        lines=[lines],
    )


def holds(kind: Kind, studies: int) -> float:
    """The share of studies in which the cost of the rest lies in the range."""
    made = design(kind)
    rng = np.random.default_rng(crc32(kind.name.encode()))
    outlines = np.array(
        [[len(str(made.outline(place)[-1]["content"])) for place in made.places if len(place.line) == step]
         for step in range(1, kind.steps + 1)]
    )  # fmt: skip
    pricers = [
        Pricer(
            {}, "test", lambda _, i=i, o=o: Rates("test", {"input": Rate(i / 1e6), "output": Rate(o / 1e6)})
        )
        for i, o in kind.usd
    ]
    held = 0
    for _ in range(studies):
        entered, left = study(kind, outlines, rng)
        chosen = rng.permutation(ROWS)
        pilot, rest = chosen[:PILOT], {int(sample) for sample in chosen[PILOT:]}
        past = {
            (0, step + 1, min(step, 1)): seen(made, pilot, entered[step], left[step])
            for step in range(kind.steps)
        }
        places = [place for place in made.places if place.sample in rest]
        told = forecast(made, places, pricers=pricers, seen=past, counting={}, queues=[("a", 1), ("b", 1)])
        true = (
            sum(
                entered[step][sample] * kind.usd[min(step, 1)][0]
                + left[step][sample] * kind.usd[min(step, 1)][1]
                for step in range(kind.steps)
                for sample in rest
            )
            / 1e6
        )
        held += told.cost_low_usd * (1 - 1e-9) <= true <= told.cost_high_usd * (1 + 1e-9)
    return held / studies


def study(kind: Kind, outlines: Any, rng: Any) -> tuple[list[Any], list[Any]]:
    """What goes in and comes out at each step of all samples: the provider counts 12 tokens more for each
    request, and one for 4.6 characters, give or take a tenth; an answer's own tokens as they were."""
    entered, left = [], []
    for step in range(kind.steps):
        counted = 12 + outlines[step] / 4.6 * np.exp(0.1 * rng.normal(size=ROWS))
        put_in = sum(left[-2:]) if step else 0
        draw = simulated.DATA[kind.data[step]][0]
        entered.append(np.round(counted + put_in))
        left.append(np.minimum(draw(rng, ROWS), kind.limit))
    return entered, left


def seen(made: Design, pilot: Sequence[int], entered: Any, left: Any) -> Seen:
    """What the pilot tells of one step."""
    ids = [sample.id for sample in made.dataset.samples]
    return Seen(
        answers=len(pilot),
        output_tokens=tuple(float(left[sample]) for sample in pilot),
        input_tokens={ids[sample]: float(entered[sample]) for sample in pilot},
    )


def test_the_range_of_chains_holds_in_short() -> None:
    """Where a later step costs by what goes into it, which is where ranges are hardest, the range holds over
    all kinds of lengths."""
    held = {kind.name: holds(kind, 12) for kind in KINDS if kind.usd == FREE}
    # 168 studies of which 96 % hold: a line through what was counted, as for plain prompts, holds in 65 %.
    assert fmean(held.values()) >= 0.9, held


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_range_of_chains_holds(kind: Kind) -> None:
    """After a pilot of ten the cost of the rest lies in the range in at least 90 % of 2,000 studies."""
    # Two standard errors of the simulation are granted.
    assert holds(kind, 2000) >= 0.887
