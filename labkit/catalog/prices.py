"""What an answer costs: the prices of its model at a date, in the way it was served.

The prices of a model at a date are compiled once into a few floats. Where an answer says that it was served
otherwise than asked (by another tier, faster, elsewhere), the prices of that way are taken. A price that is
not known gives no cost and says why; it is never 0. This module does not know who spends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache, partial
from typing import Any

from msgspec.structs import replace

from labkit.catalog import listed, provider_tools
from labkit.catalog.listed import PER, Rate
from labkit.catalog.model import Model
from labkit.catalog.rates import Price, Rates
from labkit.endpoints import is_own_host
from labkit.records import Usage
from labkit.served import AS_ASKED, Served

KINDS = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning")
"""What a price can be for; all but the first two are parts of these, and priced like them by default."""

Way = tuple[tuple[str, str], ...]
"""How a request is served, as far as that is not the standard way: by which tier, how fast, where."""
STANDARD: Way = ()
_STANDARD = {
    "service_tier": frozenset({"auto", "default", "standard", "standard_only", "on_demand"}),
    "speed": frozenset({"standard"}),
    "inference_geo": frozenset({"global", "not_available"}),
}
_BATCH = ("service_tier", "batch")
"""How an answer says that it came from a batch service."""


class Pricer:
    """The prices of one model at one date for requests of certain params. Made by `pricer`.

    `price_id` names those of the way that was asked for: `genai-prices 0.2.3 openai:gpt-4o from 2024-10-01`,
    with the id that was matched (which may be that of a broader model) and the day since which they hold,
    where the data says one.
    """

    __slots__ = ("_asked", "_hour", "_in", "_or", "_params", "_tools", "_window_tokens", "rates")

    def __init__(
        self,
        params: Mapping[str, Any],
        name: str,
        in_way: Callable[[Way], Rates],
        *,
        asked: Way = STANDARD,
        or_ways: Sequence[Way] = (),
        window_tokens: int | None = None,
    ) -> None:
        self.rates = in_way(asked)
        self._params, self._asked = params, asked
        self._in, self._or = in_way, tuple(or_ways)
        self._tools = provider_tools.asked(params, name)
        self._hour = provider_tools.keeps_an_hour(params)
        self._window_tokens = window_tokens

    @property
    def price_id(self) -> str:
        """Which prices these are, or `unknown: why`."""
        return self.rates.price_id

    @property
    def holds_from(self) -> date | None:
        """The day since which they hold, where the data says one."""
        return self.rates.holds_from

    def price(self, usage: Usage, served: Served = AS_ASKED) -> Price:
        """What `usage` costs, served so. None where its totals were not reported, or the price is not known.

        >>> from datetime import datetime, timezone
        >>> at = datetime(2026, 11, 1, tzinfo=UTC)
        >>> pricer(Model("openai/gpt-4o"), at).price(Usage(input_tokens=1000, output_tokens=100)).cost_usd
        0.0035
        """
        rates, told = self.of(served)
        return rates.price(usage, told)

    def of(self, served: Served) -> tuple[Rates, Served]:
        """The prices of the way an answer was served, and what they are to be held against."""
        rates = self.rates
        if served is not AS_ASKED:
            way = _way(self._params, served)
            rates = rates if way == self._asked else self._in(way)
        if self._hour and not served.tells_kept:
            served = replace(served, cache_write_1h_tokens=None)
        if self._tools.charged_as:
            searches = max(served.web_searches, self._tools.always)
            if searches and "web_search_preview" in self._tools.charged_as:
                served = replace(served, unpriced="a web_search_preview")
            elif searches != served.web_searches:
                served = replace(served, web_searches=searches)
        return rates, served

    def worst_usd(self, input_tokens: int, output_tokens: int) -> float | None:
        """The most a request can cost with at most so many tokens in and out, however it may be served; None
        where not known. What the provider's own tools may bring in comes on top."""
        if self._tools is provider_tools.NONE:
            most = input_tokens
        elif self._tools.calls is None or self._window_tokens is None:
            return None
        else:
            # Each call is followed by another pass, which reads no more than the model's window.
            most = max(input_tokens, self._window_tokens) * (self._tools.calls + 1)
        worst = [
            self._worst_usd(rates, most, output_tokens) for rates in (self.rates, *map(self._in, self._or))
        ]
        known = [usd for usd in worst if usd is not None]
        return max(known) if len(known) == len(worst) else None

    def _worst_usd(self, rates: Rates, input_tokens: int, output_tokens: int) -> float | None:
        bounds = rates.bounds_usd((0, input_tokens), (0, output_tokens), cached=True, hour=self._hour)
        fees = [rates.fees.get(kind) for kind in self._tools.charged_as]
        known = [usd for usd in fees if usd is not None]
        if bounds is None or len(known) < len(fees):
            return None
        return bounds[1] + (self._tools.calls or 0) * max(known, default=0.0)

    def bounds_usd(
        self,
        input_tokens: tuple[float, float],
        output_tokens: tuple[float, float],
        *,
        cached: bool,
    ) -> tuple[float, float] | None:
        """The least and the most a request costs with tokens in and out between these ends, served as asked.

        `cached` says that some of its input may be read from or written to a cache. None where not known.

        >>> from datetime import datetime
        >>> found = pricer(Model("x/y", prices={"input": 1, "output": 4}), datetime(2026, 11, 1))
        >>> found.bounds_usd((1e6, 2e6), (0, 1e6), cached=False)
        (1.0, 6.0)
        """
        ends = self.rates.bounds_usd(input_tokens, output_tokens, cached=cached, hour=self._hour)
        if ends is None or self._tools is provider_tools.NONE:
            return ends
        most = self.worst_usd(int(input_tokens[1]), int(output_tokens[1]))
        return None if most is None else (ends[0], most)

    def usd_mtok(self, kind: str) -> float | None:
        """USD per million tokens of `kind` (`input`, `output`, `cache_read` …), at base."""
        rate = self.rates.by_kind.get(kind)
        return None if rate is None else round(rate.base * PER, 9)

    def __repr__(self) -> str:
        return f"Pricer({self.price_id!r})"


def pricer(
    model: Model, at: datetime, *, params: Mapping[str, Any] | None = None, batch: bool = False
) -> Pricer:
    """The prices of `model` for requests sent at `at` with `params` (by default the model's own), or those of
    its provider's `batch` service, where one is listed.

    In this order: the model's own `prices`; 0 for what runs on this machine or is scripted; the
    price genai-prices lists for the provider (or, with a `base_url`, for whoever answers there). An
    endpoint genai-prices does not know has no price, whatever the model is called there.
    """
    chosen = model.params if params is None else params
    if batch:
        chosen = {**chosen, "service_tier": "batch", "speed": None}
    asked = _way(chosen)
    window_tokens = model.context_window
    if model.prices is not None:
        in_way = partial(_given, model.id, tuple(model.prices.items()), asked)
        return Pricer(chosen, model.name, in_way, asked=asked, window_tokens=window_tokens)
    if model.dialect in ("local", "scripted"):
        return Pricer({}, "", partial(_free, model.dialect))
    moment = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    at_url = (
        listed.known_url(str(getattr(model.client, "base_url", "")))
        if model.client is not None
        else model.base_url
    )
    own = at_url is None or is_own_host(at_url, model.provider)
    listing = (model.provider, None if own else at_url, model.name, moment)
    return Pricer(
        chosen,
        model.name,
        partial(_compiled, *listing),
        asked=asked,
        or_ways=_or_ways(asked, chosen, _tiers(*listing)),
        window_tokens=window_tokens,
    )


def _way(params: Mapping[str, Any], served: Served = AS_ASKED) -> Way:
    """How an answer was served, where it tells so, and else how it was asked for."""
    found = []
    for key, standard in _STANDARD.items():
        value = getattr(served, key) or params.get(key)
        if isinstance(value, str) and value and value not in standard:
            found.append((listed.BATCH, value) if (key, value) == _BATCH else (key, value))
    return tuple(found)


def _or_ways(asked: Way, params: Mapping[str, Any], tiers: Sequence[str]) -> list[Way]:
    """Other ways in which a provider may serve a request than the one asked for: the standard way, and, where
    no tier was asked for, any that the account's settings can say."""
    ways: set[Way] = {tuple(one for one in asked if one != without) for without in asked}
    if params.get("service_tier") in (None, "auto"):
        ways |= {(("service_tier", tier), *asked) for tier in tiers}
    return sorted(ways)


def _given(id: str, prices: tuple[tuple[str, float], ...], asked: Way, way: Way) -> Rates:
    """A user's own prices: those of the way that was asked for, or of the standard way."""
    if way not in (STANDARD, asked) or listed.BATCH in dict(way):
        told = " and ".join(f"{key}={value}" for key, value in way)
        return Rates(f"unknown: the prices given for {id} have none for {told}", {})
    return Rates(f"given: prices of {id}", {kind: Rate(float(usd) / PER) for kind, usd in prices})


def _free(dialect: str, way: Way) -> Rates:
    return Rates(f"declared: {dialect} models cost nothing", {"input": Rate(0.0), "output": Rate(0.0)})


@lru_cache(maxsize=1024)
def _compiled(provider: str, base_url: str | None, name: str, at: datetime, way: Way) -> Rates:
    found = listed.listing(provider, name, at, base_url=base_url, context=dict(way))
    if isinstance(found, str):
        return Rates(f"unknown: {found}", {})
    if found.odd:
        return Rates(f"unknown: {found.price_id} is priced by {', '.join(found.odd)}", {})
    if "input" not in found.rates:
        return Rates(f"unknown: {found.price_id} has no price for input tokens", {})
    return Rates(found.price_id, found.rates, fees=found.fees, holds_from=found.since)


@lru_cache(maxsize=1024)
def _tiers(provider: str, base_url: str | None, name: str, at: datetime) -> tuple[str, ...]:
    """The service tiers listed for a model that are none of the standard way."""
    found = listed.listing(provider, name, at, base_url=base_url, context={})
    return () if isinstance(found, str) else tuple(set(found.tiers) - _STANDARD["service_tier"])
