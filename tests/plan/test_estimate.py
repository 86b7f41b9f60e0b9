"""labkit.plan.estimate: a range with its assumptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import labkit as lk
from labkit.catalog.model import Model
from labkit.catalog.prices import Pricer, Rate
from labkit.datasets import load
from labkit.design import build
from labkit.plan.estimate import Seen, estimate
from labkit.prompts import Prompt

PRICED = Pricer("test", {"input": Rate(1e-6), "output": Rate(10e-6)})
UNPRICED = Pricer("unknown: nobody says", {})


def design(rows: int = 3, **params: Any) -> Any:
    """A design of one scripted model over short samples."""
    return build(
        experiment="e",
        workspace="w",
        prompts=[Prompt("p", "Say {{ n }}")],
        models=[Model("scripted/m", client=lk.Script(["x"], version="1"))],
        params=[params],
        dataset=load([{"n": f"number {n}"} for n in range(rows)]),
    )


def estimated(made: Any, *, pricer: Pricer = PRICED, seen: Any = None) -> Any:
    """The estimate of all its cells."""
    return estimate(made, made.places, pricers=[pricer], seen=seen or {}, counting={}, concurrency=[2])


@given(st.integers(1, 200), st.integers(1, 20))
def test_low_never_exceeds_high(limit: int, rows: int) -> None:
    """Tokens and cost have a low end that is not above the high one, and the high one follows max_tokens."""
    found = estimated(design(rows, max_tokens=limit))
    (part,) = found.parts
    assert part.input_low_tokens <= part.input_high_tokens
    assert part.output_low_tokens == rows <= part.output_high_tokens == rows * limit
    assert 0 < found.cost_low_usd <= found.cost_high_usd


def test_an_unknown_price_is_at_least() -> None:
    """Where the price is not known the part has no cost, the model is named, and the total says at least."""
    found = estimated(design(max_tokens=5), pricer=UNPRICED)
    assert found.parts[0].cost_high_usd is None
    assert found.unpriced == ("scripted/m",)
    assert "at least USD" in str(found)
    assert "price not known" in found.assumptions[0] + "".join(found.assumptions)


def test_history_narrows_the_range_and_tells_the_time() -> None:
    """What the lab saw of the same prompt and model replaces the guess, and gives a duration."""
    wide = estimated(design(4, max_tokens=100))
    seen = {("p", "scripted/m"): Seen(output_low_tokens=8, output_high_tokens=12, latency_s=3.0, n=9)}
    narrow = estimated(design(4, max_tokens=100), seen=seen)
    assert narrow.parts[0].output_low_tokens == 32
    assert narrow.parts[0].output_high_tokens == 48
    assert narrow.cost_high_usd < wide.cost_high_usd
    assert wide.seconds is None
    assert narrow.seconds == pytest.approx(4 * 3.0 / 2)
    assert any("seen before" in words for words in narrow.assumptions)


def test_no_limit_is_said() -> None:
    """Without max_tokens the assumed limit is among the assumptions."""
    assert any("set max_tokens" in words for words in estimated(design()).assumptions)


def test_the_frame_has_a_row_per_model() -> None:
    """`frame()` shows each model's share, with its assumptions as text."""
    frame = estimated(design(max_tokens=5)).frame()
    assert frame["model"].tolist() == ["scripted/m"]
    assert isinstance(frame["assumptions"].item(), str)


def test_local_models_count_for_themselves(lab: lk.Lab) -> None:
    """`plan.estimate()` gives one exact number of input tokens for a local model, from its own tokenizer."""
    plan = lab.plan(
        prompts=["Say {{ n }}"],
        models=["local/smollm2-135m"],
        dataset=[{"n": "one"}, {"n": "two"}],
        params={"max_tokens": 4},
    )
    (part,) = plan.estimate().parts
    assert part.input_low_tokens == part.input_high_tokens > 0
    assert any("its own tokenizer" in words for words in part.assumptions)


def test_nothing_to_ask_costs_nothing(lab: lk.Lab, echo: Callable[..., Any]) -> None:
    """A plan whose cells are all known has an estimate of no requests and no cost."""
    plan = lab.plan(prompts=["Say {{ n }}"], models=[echo()], dataset=[{"n": "1"}])
    plan.run()
    again = lab.plan(prompts=["Say {{ n }}"], models=[echo()], dataset=[{"n": "1"}])
    assert again.estimate().parts == ()
    assert str(again.estimate()).startswith("1 requests; 1 known; USD 0.00")
