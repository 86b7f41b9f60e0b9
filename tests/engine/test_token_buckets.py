"""Token buckets: filled by the time, emptied by requests, corrected by what the provider says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.engine.token_buckets import TokenBuckets, Tokens

ONE = Tokens(100, 50)


def openai(limit: int, left: int, reset: str = "1s", kind: str = "requests") -> dict[str, str]:
    """Headers as OpenAI names them."""
    return {
        f"x-ratelimit-limit-{kind}": str(limit),
        f"x-ratelimit-remaining-{kind}": str(left),
        f"x-ratelimit-reset-{kind}": reset,
    }


def anthropic(limit: int, left: int, kind: str = "requests", ahead_s: float = 1) -> dict[str, str]:
    """Headers as Anthropic names them."""
    reset = (datetime.now(UTC) + timedelta(seconds=ahead_s)).isoformat().replace("+00:00", "Z")
    return {
        f"anthropic-ratelimit-{kind}-limit": str(limit),
        f"anthropic-ratelimit-{kind}-remaining": str(left),
        f"anthropic-ratelimit-{kind}-reset": reset,
    }


def test_without_headers_nothing_is_held_back() -> None:
    """An endpoint that tells of no limits has none here."""
    buckets = TokenBuckets()
    buckets.heed({"content-type": "text/plain"}, 0)
    buckets.take(ONE, 0)
    buckets.settle(ONE, ONE, 0)
    assert buckets.wait_s(ONE, 0) == 0
    assert buckets.state(0) == {}


@pytest.mark.parametrize("headers", [openai(60, 0), anthropic(60, 0)])
def test_an_empty_bucket_is_waited_for(headers: dict[str, str]) -> None:
    """At 60 a minute with none left the next may leave in a second, and the second in two."""
    buckets = TokenBuckets()
    buckets.heed(headers, 0)
    assert buckets.wait_s(ONE, 0) == pytest.approx(1.0)
    assert buckets.wait_s(ONE, 1.0) == 0
    buckets.take(ONE, 1.0)
    assert buckets.wait_s(ONE, 1.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("kind", "name", "counted"),
    [
        ("tokens", "tokens", 150),
        ("input-tokens", "input", 100),
        ("output-tokens", "output", 50),
        ("requests", "requests", 1),
    ],
)
def test_each_bucket_counts_its_own(kind: str, name: str, counted: int) -> None:
    """Requests, input, output and all tokens are counted apart."""
    buckets = TokenBuckets()
    buckets.heed(anthropic(600, 600, kind), 0)
    buckets.take(ONE, 0)
    assert buckets.state(0)[name].level == 600 - counted


def test_what_was_not_used_is_given_back() -> None:
    """The answer's true counts replace the worst case; a request stays a request."""
    buckets = TokenBuckets()
    buckets.heed({**openai(6000, 6000, kind="tokens"), **openai(60, 60)}, 0)
    buckets.take(ONE, 0)
    buckets.settle(ONE, Tokens(80, 10), 0)
    assert buckets.state(0)["tokens"].level == 6000 - 90
    assert buckets.state(0)["requests"].level == 59


def test_the_provider_has_the_last_word() -> None:
    """What the provider says is left lowers the level, whoever used it up; it never raises it."""
    buckets = TokenBuckets()
    buckets.heed(openai(60, 50), 0)
    buckets.heed(openai(60, 10), 0)
    assert buckets.state(0)["requests"].level == 10
    buckets.heed(openai(60, 55), 0)
    assert buckets.state(0)["requests"].level == 10
    buckets.heed(openai(600, 500), 0)
    assert buckets.state(0)["requests"].level == 500


def test_a_request_larger_than_the_bucket_waits_until_it_is_full() -> None:
    """What never fits is sent when the most there can be is there: the provider may know better."""
    buckets = TokenBuckets()
    buckets.heed(openai(60, 0, kind="tokens"), 0)
    assert buckets.wait_s(Tokens(1000, 1000), 0) == pytest.approx(60)
    assert buckets.wait_s(Tokens(1000, 1000), 60) == 0


def test_a_daily_limit_refills_by_the_day() -> None:
    """The time to the reset tells that a limit is not a minute's."""
    buckets = TokenBuckets()
    buckets.heed(openai(200, 0, "24h0m0s"), 0)
    assert buckets.wait_s(ONE, 0) == pytest.approx(86400 / 200)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("6m0s", 360), ("20ms", 0.02), ("1h2m3.5s", 3723.5), ("12", 12), ("soon", None), ("5m?", None)],
)
def test_resets_in_every_spelling(text: str, seconds: float | None) -> None:
    """Spans and seconds are read; what is neither leaves the limit a minute's."""
    buckets = TokenBuckets()
    buckets.heed(openai(60, 0, text), 0)
    slow = seconds is not None and seconds > 60
    assert buckets.state(0)["requests"].per_s == pytest.approx(60 / seconds if slow and seconds else 1.0)


TOLD = st.text(max_size=12) | st.sampled_from(["60", "3", "00:00:30", "1m30s", "2026-11-27T12:00:30Z"])


@given(
    st.dictionaries(st.sampled_from([*openai(1, 1), *anthropic(1, 1, "tokens")]), TOLD)
    | st.builds(openai, st.integers(1, 60), st.integers(0, 60), TOLD)
)
def test_headers_never_raise(headers: dict[str, str]) -> None:
    """Whatever stands in them, headers never break a run, and a wait is a number."""
    buckets = TokenBuckets()
    buckets.heed(headers, 0)
    assert buckets.wait_s(ONE, 0) >= 0
    assert repr(buckets)


@pytest.mark.parametrize("make", [openai, anthropic])
@pytest.mark.parametrize("kind", ["requests", "tokens", "input-tokens", "output-tokens"])
def test_both_providers_names_are_read(make: Any, kind: str) -> None:
    """Every kind of limit is read under OpenAI's and Anthropic's names, one alone as well as all."""
    buckets = TokenBuckets()
    assert buckets.heed(make(600, 500, kind=kind), 0)
    assert not buckets.heed(make(600, 499, kind=kind), 0)
    (bucket,) = buckets.told().values()
    assert (bucket.capacity, bucket.level) == (600, 499)


@pytest.mark.parametrize("make", [openai, anthropic])
def test_absent_headers_are_tolerated(make: Any) -> None:
    """A limit without what remains, or what remains without a limit, tells nothing and breaks nothing."""
    for name in make(600, 500):
        buckets = TokenBuckets()
        left = {key: value for key, value in make(600, 500).items() if key != name}
        assert buckets.heed(left, 0) == (name.endswith("reset") or "-reset-" in name)
        assert buckets.wait_s(ONE, 0) == 0


def test_what_left_after_an_answer_is_not_in_what_it_tells() -> None:
    """When a limit is first told of, requests that left meanwhile are counted by this side."""
    buckets = TokenBuckets()
    buckets.heed({**openai(60, 50), **openai(9000, 8000, kind="tokens")}, 0, tokens=ONE, behind=15)
    assert buckets.state(0)["requests"].level == 35
    assert buckets.state(0)["tokens"].level == 8000 - 15 * 150


@pytest.mark.parametrize("limit", [60, 6000, 2_000_000])
@pytest.mark.parametrize("told", ["{:.3f}s", "{:.0f}", "00:00:{:02.0f}"])
def test_a_fixed_window_is_waited_for(limit: int, told: str) -> None:
    """Where the reset stays however much is taken nothing flows in before it; then all is there again."""
    buckets = TokenBuckets()
    for at in range(40):
        buckets.heed(openai(limit, limit * (39 - at) // 40, told.format(60 - at)), at)
    assert buckets.wait_s(ONE, 39) == pytest.approx(21, abs=1)
    assert buckets.wait_s(ONE, 50) == pytest.approx(10, abs=1)
    assert buckets.wait_s(ONE, 61) == 0
    assert buckets.state(61)["requests"].level == limit
    buckets.take(ONE, 61)
    assert buckets.state(61)["requests"].level == limit - 1
    # So it is in the next; and if that moves after all it flows in again.
    for at in range(40):
        buckets.heed(openai(limit, limit * (39 - at) // 40, told.format(59 - at)), 61 + at)
    assert buckets.wait_s(ONE, 100) == pytest.approx(20, abs=1)
    buckets.heed(openai(limit, limit, told.format(60)), 101)
    buckets.heed(openai(limit, limit // 2, told.format(30)), 101)
    assert buckets.wait_s(ONE, 101) <= 60 / limit


def test_what_a_window_does_not_count_stays_there() -> None:
    """Requests that were refused for other reasons leave what remains, and what is out is taken off."""
    buckets = TokenBuckets()
    buckets.heed(openai(60, 59, "60s"), 0)
    for at in range(1, 31):
        buckets.take(ONE, at)
    buckets.heed(openai(60, 40, "30s"), 30, tokens=ONE, behind=4)
    assert buckets.state(30)["requests"].level == 36
    # What was said before that is old.
    buckets.heed(openai(60, 44, "30s"), 30)
    assert buckets.state(30)["requests"].level == 36


@given(
    st.lists(st.tuples(st.floats(0, 30), st.integers(1, 40)), min_size=2, max_size=40),
    st.sampled_from(["{:.3f}s", "{:.0f}s", "1s"]),
)
def test_a_bucket_is_not_taken_for_a_window(taken: list[tuple[float, int]], told: str) -> None:
    """Whenever requests are taken from a bucket that fills all the time, and however exactly its reset is
    told, be it that of the next request only: no wait is longer than what is missing takes to flow in."""
    buckets, left, now = TokenBuckets(), 60.0, 0.0
    for after_s, count in taken:
        now += after_s
        left = min(60.0, left + after_s)
        left -= min(count, int(left))
        buckets.heed(openai(60, int(left), told.format(60 - left)), now)
        assert buckets.state(now)["requests"].full_at == inf


def test_a_share_is_a_part_of_all_there_is() -> None:
    """With half of a bucket half remains, half flows in, and half is the most there can be."""
    buckets = TokenBuckets()
    buckets.heed(openai(60, 40), 0)
    buckets.set_share(0.5, 0)
    assert buckets.state(0)["requests"].level == 20
    assert buckets.state(10)["requests"].level == 25
    assert buckets.state(1000)["requests"].level == 30
    buckets.heed(openai(60, 6), 0)
    assert buckets.state(0)["requests"].level == 3
    buckets.set_share(1.0, 0)
    assert buckets.state(0)["requests"].level == 3
    assert buckets.state(10)["requests"].level == 13


def test_looking_changes_nothing() -> None:
    """The state is a copy: another thread may look while the loop takes and fills."""
    buckets = TokenBuckets()
    buckets.heed(openai(60, 10), 0)
    buckets.state(5)["requests"].level = 0
    assert buckets.told()["requests"].level == 10
    assert buckets.told()["requests"].at == 0
    assert buckets.state(5)["requests"].level == 15


def test_a_limit_of_the_user_s_own() -> None:
    """It holds beside the provider's, the tighter of the two is shown, and it can be lifted."""
    buckets = TokenBuckets()
    buckets.heed(openai(600, 600), 0)
    buckets.limit("requests", 60, 0)
    assert buckets.wait_s(ONE, 0) == 0
    buckets.take(ONE, 0)
    assert buckets.wait_s(ONE, 0) == pytest.approx(1.0)
    assert buckets.state(0)["requests"].capacity == 60
    buckets.set_share(0.5, 0)
    assert buckets.wait_s(ONE, 0) == pytest.approx(1.0)
    buckets.limit("requests", inf, 0)
    assert buckets.wait_s(ONE, 0) == 0
    assert buckets.state(0)["requests"].capacity == 600


def test_less_than_one_a_minute_is_kept() -> None:
    """A limit of one in two minutes lets one leave, and the next after two minutes."""
    buckets = TokenBuckets()
    buckets.limit("requests", 0.5, 0)
    assert buckets.wait_s(ONE, 0) == 0
    buckets.take(ONE, 0)
    assert buckets.wait_s(ONE, 0) == pytest.approx(120)
    assert buckets.used_up_s(ONE, 0) == 0


@given(
    st.lists(st.tuples(st.sampled_from(["take", "heed"]), st.floats(0, 5)), max_size=60),
    st.integers(1, 600),
)
def test_two_shares_never_send_more_than_there_is(doings: list[tuple[str, float]], limit: int) -> None:
    """Whoever sends, two runs with half each never send more than the bucket held and what flowed in."""
    both, now, sent = (TokenBuckets(), TokenBuckets()), 0.0, 0
    for buckets in both:
        buckets.heed(openai(limit, limit), 0)
        buckets.set_share(0.5, 0)
    for number, (doing, later) in enumerate(doings):
        now += later
        buckets = both[number % 2]
        if doing == "heed":
            buckets.heed(openai(limit, limit), now)
        elif doing == "take" and buckets.wait_s(ONE, now) == 0:
            buckets.take(ONE, now)
            sent += 1
    # A bucket of less than one for each lets each have one on account.
    assert sent <= limit + now * limit / 60 + 2
