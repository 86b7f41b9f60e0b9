"""labkit.plan.estimate: the value, and how it reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import labkit as lk
from labkit.plan.estimate import Estimate, Part, duration, plural


def part(model: str = "scripted/m", **given: Any) -> Part:
    """One model's share, with 4 requests."""
    values: dict[str, Any] = {
        "model": model,
        "requests": 4,
        "input_low_tokens": 10,
        "input_high_tokens": 12,
        "output_low_tokens": 4,
        "output_high_tokens": 400,
        "output_limit_tokens": 100,
        "cost_low_usd": 0.2,
        "cost_high_usd": 0.4,
        "seconds": 30.0,
        "assumptions": ("input by counting",),
    }
    return Part(**values | given)


def test_a_range_is_told_in_words() -> None:
    """The line has what is asked and known, the range, the likely cost where it is known, and the time."""
    made = Estimate(requests=6, known=2, parts=(part(cost_likely_usd=0.3), part("b", cost_likely_usd=0.1)))
    assert str(made) == "6 requests; 2 known; USD 0.40–0.80, likely 0.40; about 30 s"
    assert made.cost_likely_usd == pytest.approx(0.4)


def test_without_history_nothing_is_likely() -> None:
    """Where one model was never asked there is no likely cost, and the line has none."""
    made = Estimate(requests=8, known=0, parts=(part(cost_likely_usd=0.3), part("b")))
    assert made.cost_likely_usd is None
    assert "likely" not in str(made)


def test_the_upper_end_says_what_it_rests_on() -> None:
    """Above twice of what was seen it tells both ends: as seen, and how many would run to their limit."""
    near = part(cost_likely_usd=0.3, cost_seen_high_usd=0.32)
    far = part("b", cost_high_usd=9.0, cost_likely_usd=0.3, cost_seen_high_usd=0.34, unseen_share=0.271)
    assert "seen" not in Estimate(requests=4, known=0, parts=(near,)).cost
    assert Estimate(requests=8, known=0, parts=(near, far)).cost == (
        "USD 0.40–9.40, likely 0.60; up to 0.66 if none is longer than those seen, "
        "up to 9.40 if 28% run to their token limit"
    )
    assert "seen" not in Estimate(requests=8, known=0, parts=(part(), far)).cost


def test_an_assumed_limit_stands_beside_the_range() -> None:
    """Where no limit is known the range says which one it assumes; not where nothing is paid."""
    guessed = part(limit_assumed=True, output_limit_tokens=4096)
    longer = part("b", limit_assumed=True, output_limit_tokens=9000)
    free = part("c", limit_assumed=True, cost_low_usd=0.0, cost_high_usd=0.0)
    words = "; assumes at most 4,096 tokens an answer, as no limit is known"
    assert Estimate(requests=8, known=0, parts=(guessed, part("d"))).cost.endswith(words)
    assert "at most 4,096–9,000 tokens" in Estimate(requests=8, known=0, parts=(guessed, longer)).cost
    assert "assumes" not in Estimate(requests=8, known=0, parts=(part(), free)).cost


def test_an_unknown_price_is_at_least() -> None:
    """A model without a price has no cost in the sum, is named, and the total says at least."""
    made = Estimate(requests=8, known=0, parts=(part(), part("x/y", cost_low_usd=None, cost_high_usd=None)))
    assert made.unpriced == ("x/y",)
    assert made.cost.startswith("at least USD 0.20–0.40")
    assert "unknown" in made._repr_html_()


def test_the_slowest_decides_the_time() -> None:
    """Endpoints run side by side; where one was never timed the whole has no time."""
    assert Estimate(requests=8, known=0, parts=(part(), part("b", seconds=200.0))).seconds == 200.0
    assert Estimate(requests=8, known=0, parts=(part(), part("b", seconds=None))).seconds is None


def test_the_frame_has_a_row_per_model() -> None:
    """`frame()` has a row per model: counts are integers, unknown amounts NaN, assumptions one text."""
    frame = Estimate(requests=8, known=0, parts=(part(), part("b", cost_low_usd=None, seconds=None))).frame()
    assert frame["model"].tolist() == ["scripted/m", "b"]
    assert frame["output_high_tokens"].dtype == "int64"
    amounts = ("cost_low_usd", "cost_likely_usd", "cost_seen_high_usd", "unseen_share", "seconds")
    assert {str(frame[name].dtype) for name in amounts} == {"float64"}
    assert frame["limit_assumed"].dtype == "bool"
    assert frame["assumptions"].tolist() == ["input by counting"] * 2
    assert Estimate(requests=0, known=0, parts=()).frame().empty


def test_hostile_names_are_shown_and_not_run() -> None:
    """A model's name and an assumption are escaped in HTML."""
    made = Estimate(requests=4, known=0, parts=(part("<script>x</script>", assumptions=("<b>",)),))
    assert "<script>" not in made._repr_html_()
    assert "&lt;b&gt;" in made._repr_html_()


@pytest.mark.parametrize(("seconds", "words"), [(40, "40 s"), (89, "89 s"), (95, "2 min"), (600, "10 min")])
def test_times_read_well(seconds: float, words: str) -> None:
    """Seconds up to a minute and a half, then minutes."""
    assert duration(seconds) == words


def test_one_is_singular() -> None:
    """A count of one has no s, and thousands have a comma."""
    assert (plural(1, "request"), plural(1200, "request")) == ("1 request", "1,200 requests")


def test_nothing_to_ask_costs_nothing(lab: lk.Lab, echo: Callable[..., Any]) -> None:
    """A plan whose cells are all known has an estimate of no requests and no cost."""
    plan = lab.plan(prompts=["Say {{ n }}"], models=[echo()], dataset=[{"n": "1"}])
    plan.run()
    again = lab.plan(prompts=["Say {{ n }}"], models=[echo()], dataset=[{"n": "1"}])
    assert again.estimate().parts == ()
    assert str(again.estimate()).startswith("1 request; 1 known; USD 0.00")


@pytest.mark.parametrize(
    ("low_usd", "high_usd", "words"),
    [
        (0.00005, 0.33, "USD 0.00005–0.33"),
        (0.0000012, 0.000049, "USD 0.0000012–0.000049"),
        (0.0999, 0.1, "USD 0.10–0.10"),
        (0.0, 1234.5, "USD 0.00–1,234.50"),
    ],
)
def test_small_amounts_are_written_out(low_usd: float, high_usd: float, words: str) -> None:
    """Nobody has to read an exponent."""
    made = Estimate(requests=4, known=0, parts=(part(cost_low_usd=low_usd, cost_high_usd=high_usd),))
    assert made.cost.startswith(words)


def test_nothing_to_ask_has_no_table(lab: lk.Lab, echo: Callable[..., Any]) -> None:
    """Where all is known there is a line, said once, and no header without rows."""
    rows = [{"n": "1"}, {"n": "2"}]
    lab.plan(prompts=["Say {{ n }}"], models=[echo()], dataset=rows).run()
    again = lab.plan(prompts=["Say {{ n }}"], models=[echo()], dataset=rows)
    assert "<table" not in again.estimate()._repr_html_()
    told = again._repr_html_()
    assert "<table" not in told
    assert told.count("2 requests") == 1
