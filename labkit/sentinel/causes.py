"""What changed between the baseline and tonight that can explain a difference, as words.

It is told as far as it was recorded; of two that changed at once it cannot be told which did it. A resolved
model or a fingerprint that changed is a cause that is told, never a verdict: answers may stay as good.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labkit.sentinel.circumstances import Asked, Circumstances
from labkit.sentinel.finding import COST, LATENCY
from labkit.sentinel.rows import Contender
from labkit.visible import visible

LESS_CACHED = 0.1
"""The share of input that has to be read from a cache no more, to be told."""
PRICE_LIST = "the price list"
BUSIER = 1.5
"""How many times as many in flight are another concurrency."""
ELSEWHERE = ("the host", "the concurrency")
"""With which a clock tells nothing of the model."""


@dataclass(frozen=True)
class Cause:
    """One thing that changed: what, and from what to what, where that can be told."""

    what: str
    how: str = ""
    is_part: bool = False
    """Whether it is a part of a price or a time, which something else may have changed in its turn."""

    def __str__(self) -> str:
        return f"{self.what} ({self.how})" if self.how else self.what


def causes(
    contender: Contender,
    metric: str,
    before: Circumstances,
    now: Circumstances,
    *,
    common: Collection[str],
    length_ratio: tuple[float, float, float],
) -> list[Cause]:
    """What can explain a difference of this metric. `common` are the rows that both have; `length_ratio` how
    many times as many output tokens an answer has now, with its limits."""
    was, is_now = before.of(contender), now.of(contender)
    found = [
        *_changed("the resolved model", was.resolved, is_now.resolved),
        *_fingerprint(was, is_now),
        *_changed("the prompt", _numbered(was.versions), _numbered(is_now.versions)),
        *_rows(before, now, common),
        *_params(was, is_now),
        *_endpoints(was, is_now),
    ]
    if metric in (COST, LATENCY):
        found += _longer(length_ratio) + _less_cached(was, is_now)
    if metric == COST:
        found += _price_list(contender, before, now)
    if metric == LATENCY:
        found += elsewhere(contender, before, now)
    return found


def elsewhere(contender: Contender, before: Circumstances, now: Circumstances) -> list[Cause]:
    """Whether it was asked from another host, or with many more in flight, which makes each slower."""
    found = [] if set(now.hosts) <= set(before.hosts) else _changed(ELSEWHERE[0], before.hosts, now.hosts)
    was, is_now = before.of(contender).in_flight, now.of(contender).in_flight
    if was and is_now and is_now / was > BUSIER:
        found.append(Cause(ELSEWHERE[1], f"{was:g} → {is_now:g} in flight"))
    return found


def price_factor(contender: Contender, before: Circumstances, now: Circumstances) -> float | None:
    """How many times as much tonight's tokens cost by tonight's price list as by the baseline's; None where a
    price is not known, or the list is the same."""
    if not _price_list(contender, before, now):
        return None
    asked = now.of(contender)
    old, new = (_usd(asked, rates.get(contender[1], {})) for rates in (before.rates, now.rates))
    return new / old if old and new else None


def _price_list(contender: Contender, before: Circumstances, now: Circumstances) -> list[Cause]:
    was, is_now = before.of(contender), now.of(contender)
    if found := _changed(PRICE_LIST, was.price_ids, is_now.price_ids):
        return [replace(one, is_part=True) for one in found]
    # Prices of one's own have no name that changes with them.
    old, new = (rates.get(contender[1]) for rates in (before.rates, now.rates))
    return [Cause(PRICE_LIST, is_part=True)] if old and new and old != new else []


def _usd(asked: Asked, rates: Mapping[str, float]) -> float | None:
    if asked.input_tokens is None or asked.output_tokens is None or not {"input", "output"} <= rates.keys():
        return None
    cached = asked.cache_read_tokens or 0.0
    read = cached * rates.get("cache_read", rates["input"])
    return (asked.input_tokens - cached) * rates["input"] + read + asked.output_tokens * rates["output"]


def _changed(what: str, was: Sequence[Any], is_now: Sequence[Any]) -> list[Cause]:
    if not was or not is_now or set(was) == set(is_now):
        return []
    return [Cause(what, f"{_few(was)} → {_few(is_now)}")]


def _fingerprint(was: Asked, is_now: Asked) -> list[Cause]:
    """Another model has another fingerprint: that is no second change."""
    if set(was.resolved) != set(is_now.resolved):
        return []
    return _changed("the model's fingerprint", was.fingerprints, is_now.fingerprints)


def _few(values: Sequence[Any]) -> str:
    shown = [visible(value, limit=60) for value in list(values)[:2]]
    return " and ".join(shown) + (" …" if len(values) > 2 else "")


def _numbered(versions: Sequence[int]) -> list[str]:
    return [f"version {version}" for version in versions]


def _rows(before: Circumstances, now: Circumstances, common: Collection[str]) -> list[Cause]:
    changed = changed_rows(before, now, common)
    return [Cause("the dataset", f"{len(changed):,} of {len(common):,} rows")] if changed else []


def changed_rows(before: Circumstances, now: Circumstances, common: Collection[str]) -> list[str]:
    """The ids of those of the common rows that have other contents."""
    if set(before.datasets) == set(now.datasets):
        return []
    return [id for id in common if before.samples.get(id) != now.samples.get(id)]


def _params(was: Asked, is_now: Asked) -> list[Cause]:
    if not was.params or not is_now.params or set(was.params) == set(is_now.params):
        return []
    old, new = json.loads(was.params[0]), json.loads(is_now.params[0])
    names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    told = [
        f"{name}: {visible(old.get(name), limit=30)} → {visible(new.get(name), limit=30)}" for name in names
    ]
    return [Cause("the params", "; ".join(told[:3]))]


def _endpoints(was: Asked, is_now: Asked) -> list[Cause]:
    if not was.endpoints or not is_now.endpoints or set(was.endpoints) == set(is_now.endpoints):
        return []
    # Of a local model it is a hash of weights, template and runtime, which says nothing to anybody.
    return [Cause("the endpoint, or a local model's weights or runtime")]


def _longer(ratio: tuple[float, float, float]) -> list[Cause]:
    estimate, low, _ = ratio
    if not low > 1 or estimate < 1.02:
        return []
    return [Cause("the length of answers", f"{100 * (estimate - 1):.0f} % more tokens", is_part=True)]


def _less_cached(was: Asked, is_now: Asked) -> list[Cause]:
    shares = [(one.cache_read_tokens or 0) / one.input_tokens for one in (was, is_now) if one.input_tokens]
    if len(shares) < 2 or shares[0] - shares[1] < LESS_CACHED:
        return []
    how = f"{100 * shares[0]:.0f} % of the input was read from it, now {100 * shares[1]:.0f} %"
    return [Cause("the cache", how, is_part=True)]


def told(found: Sequence[Cause]) -> str:
    """As a sentence: what changed, and that it cannot be told which did it where several did. Parts of a
    price or a time are told beside what may have changed them."""
    if not found:
        return "Nothing that labkit records changed since the baseline."
    changed = f"Changed: {', '.join(map(str, found))}."
    # By how much a price list changed a price is told by itself.
    several = [one for one in found if not one.is_part] or [one for one in found if one.what != PRICE_LIST]
    return changed if len(several) <= 1 else f"{changed} Which of them did it cannot be told apart."
