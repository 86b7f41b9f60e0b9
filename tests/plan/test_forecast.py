"""labkit.plan.forecast: from a design, prices and what was seen to a range with its assumptions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import labkit as lk
from labkit.catalog.listed import Rate
from labkit.catalog.model import Model
from labkit.catalog.prices import Pricer
from labkit.catalog.rates import Rates
from labkit.datasets import load
from labkit.design import build
from labkit.plan.forecast import forecast, output
from labkit.plan.past_answers import Seen
from labkit.prompts import Prompt

PRICED = Pricer({}, "test", lambda _: Rates("test", {"input": Rate(1e-6), "output": Rate(10e-6)}))
CACHING = Pricer(
    {},
    "test",
    lambda _: Rates(
        "test",
        {
            "input": Rate(1e-6),
            "cache_read": Rate(0.1e-6),
            "cache_write": Rate(1.25e-6),
            "output": Rate(10e-6),
        },
    ),
)
UNPRICED = Pricer({}, "test", lambda _: Rates("unknown: nobody says", {}))
SCRIPTED = Model("scripted/m", client=lk.Script(["x"], version="1"))
LENGTHS = st.lists(st.integers(1, 200), min_size=1, max_size=30)


def design(
    rows: int = 3, *, models: Any = (SCRIPTED,), prompts: Any = None, repeats: int = 1, **params: Any
) -> Any:
    """A design of models over short samples."""
    return build(
        experiment="e",
        workspace="w",
        prompts=prompts or [Prompt("p", "Say {{ n }}")],
        models=models,
        params=[params] * len(models),
        dataset=load([{"n": f"number {n}"} for n in range(rows)]),
        repeats=repeats,
    )


def seen(lengths: Any, **more: Any) -> Seen:
    """Answers of these lengths, a sample each."""
    return Seen(answers=len(lengths), output_tokens=tuple(map(float, lengths)), **{"input_tokens": {}} | more)


def forecasted(made: Any, *, pricer: Pricer = PRICED, past: Any = None, queues: Any = None) -> Any:
    """The estimate of all its cells."""
    models = range(len(made.models))
    return forecast(
        made,
        made.places,
        pricers=[pricer for _ in models],
        seen=past or {},
        counting={},
        queues=queues or [(m, 2) for m in models],
    )


@given(st.integers(1, 200), st.integers(1, 20))
def test_low_never_exceeds_high(limit: int, rows: int) -> None:
    """Without history output runs from one token to max_tokens each, and nothing is called likely."""
    found = forecasted(design(rows, max_tokens=limit))
    (part,) = found.parts
    assert part.input_low_tokens <= part.input_high_tokens
    assert part.output_low_tokens == rows <= part.output_high_tokens == rows * limit
    assert 0 < found.cost_low_usd <= found.cost_high_usd
    assert found.cost_likely_usd is None
    assert any("plan.pilot(10) narrows it" in words for words in found.assumptions)


@given(LENGTHS, st.integers(1, 40), st.integers(1, 3))
def test_history_gives_ordered_ends_within_the_limit(lengths: list[int], rows: int, repeats: int) -> None:
    """Low ≤ likely ≤ high, all between one token and max_tokens each, whatever was seen."""
    found = forecasted(design(rows, repeats=repeats, max_tokens=200), past={(0, 0, 0): seen(lengths)})
    (part,) = found.parts
    cells = rows * repeats
    assert cells <= part.output_low_tokens + 1
    assert part.output_low_tokens <= part.output_high_tokens <= 200 * cells
    assert part.cost_low_usd <= part.cost_likely_usd <= part.cost_high_usd


@given(st.lists(st.integers(20, 40), min_size=10, max_size=60), st.integers(60, 2000))
def test_a_tighter_limit_never_widens(lengths: list[int], limit: int) -> None:
    """With the same answers seen, a larger max_tokens never gives a lower high end."""
    made = design(50)
    near, far = (output(seen(lengths), made.models[0], {"max_tokens": n}, units=50) for n in (60, limit))
    assert near.high <= far.high
    assert near.low == far.low


def test_history_narrows_the_range_and_tells_the_time() -> None:
    """What the lab saw of the same prompt and model replaces the guess, and gives a duration."""
    made = design(4, max_tokens=100)
    wide = forecasted(made)
    narrow = forecasted(made, past={(0, 0, 0): seen([8, 9, 10, 11, 12] * 4, latency_s=3.0)})
    assert 4 < narrow.parts[0].output_low_tokens < 40 < narrow.parts[0].output_high_tokens < 400
    assert narrow.cost_low_usd > wide.cost_low_usd
    assert narrow.cost_high_usd < wide.cost_high_usd
    assert wide.seconds is None
    assert narrow.seconds == pytest.approx(4 * 3.0 / 2)


def test_the_words_say_what_was_used() -> None:
    """The assumptions name the answers, their mean, the reasoning in it, the range and what is unseen."""
    past = {(0, 0, 0): seen([30, 32] * 10, reasoning_tokens=12.0)}
    (words,) = [
        one for one in forecasted(design(40, max_tokens=64), past=past).assumptions if "output" in one
    ]
    assert (
        "output from 20 answers of this prompt and model: 31 tokens on average, 12 of them reasoning" in words
    )
    assert "with 90% confidence" in words
    assert "at the upper end 16% run to 64 tokens (max_tokens)" in words
    past = {(0, 0, 0): seen([30, 32] * 10, own=False)}
    assert any("to other samples" in one for one in forecasted(design(40), past=past).assumptions)


def test_an_unseen_kind_is_allowed_for() -> None:
    """Twenty equal answers leave room for a kind that was not seen; a limit near them leaves little."""
    alike = seen([31] * 20)
    free, held = (output(alike, SCRIPTED, params, units=200) for params in ({}, {"max_tokens": 40}))
    assert free.high > 31 * 4
    assert 31 < held.high < 34
    assert output(seen([31] * 200), SCRIPTED, {}, units=200).high < free.high


def test_what_is_the_same_for_all_prompts_is_said_once() -> None:
    """Three prompts that were never answered have one sentence about their output, without names; where one
    was answered the other two share theirs; input is counted or estimated, never "by estimated"."""
    prompts = [Prompt(name, f"Say {name} {{{{ n }}}}") for name in ("a", "b", "c")]
    made = design(
        5, prompts=prompts, models=(SCRIPTED.replace(id="vllm/m", dialect="openai"),), max_tokens=50
    )
    (part,) = forecasted(made).parts
    assert part.assumptions == (
        "input estimated at 4 bytes a token",
        "output between 1 and 50 tokens (max_tokens); plan.pilot(10) narrows it",
    )
    (part,) = forecasted(made, past={(0, 0, 0): seen([5] * 10)}).parts
    assert any(words.startswith("prompts 'b' and 'c': output between 1 and 50") for words in part.assumptions)


def test_prompts_are_told_apart() -> None:
    """With two prompts of which one was answered, each has its own words, and the whole is not likely."""
    made = design(5, prompts=[Prompt("a", "Say {{ n }}"), Prompt("b", "Shout {{ n }}")], max_tokens=50)
    found = forecasted(made, past={(0, 0, 0): seen([5] * 10, latency_s=1.0)})
    assert any("prompt 'a': output from 10 answers" in words for words in found.assumptions)
    assert any("prompt 'b': output between 1 and 50" in words for words in found.assumptions)
    assert found.cost_likely_usd is None
    assert found.seconds is None


def test_repeats_of_a_sample_do_not_count_as_samples() -> None:
    """The range of 10 samples asked 20 times each is that of 10 samples, since repeats may be alike."""
    past = {(0, 0, 0): seen([5, 100] * 10)}
    once, often = (
        forecasted(design(10, repeats=repeats, max_tokens=200), past=past).parts[0] for repeats in (1, 20)
    )
    assert often.output_low_tokens == pytest.approx(20 * once.output_low_tokens, rel=0.05)
    apart = {(0, 0, 0): seen([5, 100] * 10, by_sample=False)}
    assert (
        forecasted(design(10, repeats=20, max_tokens=200), past=apart).parts[0].output_low_tokens
        > often.output_low_tokens
    )


def test_an_unknown_price_is_no_cost() -> None:
    """Where the price is not known the part has no cost at all, and the assumptions say so."""
    found = forecasted(design(max_tokens=5), pricer=UNPRICED, past={(0, 0, 0): seen([5] * 9)})
    (part,) = found.parts
    assert (part.cost_low_usd, part.cost_likely_usd, part.cost_high_usd) == (None, None, None)
    assert any("price not known" in words for words in found.assumptions)


def test_no_limit_is_said() -> None:
    """Without max_tokens the assumed limit is among the assumptions."""
    assert any("set max_tokens" in words for words in forecasted(design()).assumptions)


@given(LENGTHS, st.integers(200, 5000), st.integers(1, 300))
def test_the_upper_end_is_a_share_at_the_limit(lengths: list[int], limit: int, more: int) -> None:
    """So many at the limit as is told, and the others as long as those seen at most, make the upper end."""
    found = output(seen(lengths), SCRIPTED, {"max_tokens": limit}, units=more)
    assert found.seen_high is not None
    assert found.likely <= found.seen_high <= max(lengths)
    share = found.unseen_share
    assert found.high == pytest.approx((1 - share) * found.seen_high + share * limit)
    assert (found.limit, found.assumed) == (limit, False)


def test_few_answers_leave_room_up_to_the_limit() -> None:
    """Ten labels of 3 tokens do not show that no other runs to 4,096: up to 28 % of them may."""
    found = output(seen([3] * 10), SCRIPTED, {"max_tokens": 4096}, units=2000)
    assert found.seen_high == 3
    assert 0.25 < found.unseen_share < 0.29
    assert found.high > 0.25 * 4096


def test_a_limit_that_was_passed_is_none() -> None:
    """Where an answer was longer than max_tokens the endpoint does not keep to it, and the words say so."""
    found = output(seen([300] * 10), SCRIPTED, {"max_tokens": 64}, units=10)
    assert (found.limit, found.assumed) == (600, True)
    assert "(assumed, as some had more than 64)" in found.words


def test_of_several_limits_the_largest_counts() -> None:
    """With two limits among the params either may be the one kept to; the purse reserves the larger, too."""
    found = output(seen([5] * 10), SCRIPTED, {"max_tokens": 10, "max_completion_tokens": 90}, units=10)
    assert found.limit == 90


def test_a_guessed_limit_does_not_cap_what_was_seen() -> None:
    """Where no limit is known, answers longer than the guessed one stay possible."""
    found = output(seen([9000] * 10), SCRIPTED, {}, units=10)
    assert found.high > 9000
    assert (found.limit, found.assumed) == (18000, True)
    assert "(assumed; set max_tokens)" in found.words


def test_a_cache_widens_only_where_there_may_be_one() -> None:
    """Unmarked input to Anthropic is never cached and has one price; marked it may be read or written."""
    model = Model("anthropic/claude-haiku-4-5")
    plain = design(3, models=[model], max_tokens=1)
    (part,) = forecasted(plain, pricer=CACHING).parts
    outputs = 3 * 10e-6
    assert part.cost_low_usd == pytest.approx(part.input_low_tokens * 1e-6 + outputs, rel=0.05)
    assert part.cost_high_usd == pytest.approx(part.input_high_tokens * 1e-6 + outputs)
    block = lk.Block("law", "Some long text. " * 50, cache=True)
    marked = design(
        3, models=[model], prompts=[Prompt("p", "Say {{ n }}").replace(blocks=(block,))], max_tokens=1
    )
    (part,) = forecasted(marked, pricer=CACHING).parts
    assert part.cost_low_usd == pytest.approx(part.input_low_tokens * 0.1e-6 + outputs, rel=0.05)
    assert part.cost_high_usd == pytest.approx(part.input_high_tokens * 1.25e-6 + outputs)


def test_a_cache_asked_for_in_the_params_widens_too() -> None:
    """Anthropic's own `cache_control` among the params may have all of the input read from a cache."""
    model = Model("anthropic/claude-haiku-4-5")
    made = design(3, models=[model], max_tokens=1, cache_control={"type": "ephemeral"})
    (part,) = forecasted(made, pricer=CACHING).parts
    assert part.cost_low_usd == pytest.approx(part.input_low_tokens * 0.1e-6 + 3 * 10e-6, rel=0.05)
    assert part.cost_high_usd == pytest.approx(part.input_high_tokens * 1.25e-6 + 3 * 10e-6)


def test_openai_caches_long_beginnings_unasked() -> None:
    """Input to OpenAI may be read from its cache from 1,024 tokens on, and not below."""
    model = Model("openai/gpt-4o")
    (short,) = forecasted(design(1, models=[model], max_tokens=1), pricer=CACHING).parts
    assert short.cost_low_usd == pytest.approx(short.input_low_tokens * 1e-6 + 10e-6)
    long = [Prompt("p", "Some words of a long text. " * 400 + "Say {{ n }}")]
    (part,) = forecasted(design(1, models=[model], prompts=long, max_tokens=1), pricer=CACHING).parts
    assert part.cost_low_usd == pytest.approx(part.input_low_tokens * 0.1e-6 + 10e-6, rel=0.01)


def test_models_of_one_endpoint_share_its_time() -> None:
    """Models that share a queue take as long as both together; in queues of their own, as the slower."""
    other = Model("scripted/n", client=lk.Script(["x"], version="1"))
    made = design(10, models=[SCRIPTED, other], max_tokens=5)
    past = {(0, 0, m): seen([3] * 9, latency_s=2.0) for m in (0, 1)}
    assert forecasted(made, past=past, queues=[("e", 4), ("e", 4)]).seconds == pytest.approx(20 * 2 / 4)
    assert forecasted(made, past=past, queues=[("e", 4), ("f", 4)]).seconds == pytest.approx(10 * 2 / 4)
    assert forecasted(made, past=past, queues=[("e", 32), ("f", 32)]).seconds == pytest.approx(2.0)


def test_only_what_is_asked_is_counted() -> None:
    """Cells that are known cost nothing: the estimate of a part of the places is of those."""
    made = design(6, max_tokens=10)
    found = forecast(made, made.places[:2], pricers=[PRICED], seen={}, counting={}, queues=[(0, 2)])
    assert (found.requests, found.known, found.parts[0].requests) == (6, 4, 2)
