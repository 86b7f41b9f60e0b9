"""labkit.plan.estimate_inputs: an estimate from what there is at hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import labkit as lk


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


def test_a_fresh_run_is_estimated_whole(
    lab: lk.Lab, echo: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where runs ask again what is known, by argument or by `$LABKIT_FRESH`, the estimate counts it all."""
    model = echo().replace(prices={"input": 1, "output": 1})
    rows = [{"n": f"number {n}"} for n in range(6)]
    plan = lab.plan(prompts=["Say {{ n }}"], models=[model], dataset=rows)
    plan.run()
    assert plan.estimate().parts == ()
    assert plan.estimate(fresh=True).known == 0
    assert plan.estimate(fresh=True).cost_likely_usd > 0
    monkeypatch.setenv("LABKIT_FRESH", "1")
    scheduled = lk.Lab(lab.path).plan(prompts=["Say {{ n }}"], models=[model], dataset=rows)
    assert scheduled.estimate().known == 0
    assert scheduled.estimate(fresh=False).known == 6


def test_the_time_follows_what_was_measured(lab: lk.Lab, echo: Callable[..., Any]) -> None:
    """After a few answers the rest takes their mean latency, spread over the model's places."""
    model = echo(first_token_s=0.05).replace(concurrency=2)
    rows = [{"n": f"number {n}"} for n in range(40)]
    plan = lab.plan(prompts=["Say {{ n }}"], models=[model], dataset=rows)
    latency = plan.pilot(4).generations()["latency_s"].mean()
    seconds = plan.estimate().seconds
    assert seconds is not None
    assert abs(seconds - 36 * latency / 2) < 1e-6
