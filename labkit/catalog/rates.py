"""What tokens and fees cost in one way of serving, and the least and the most they can cost.

A handful of multiplications, which give what `genai_prices.calc_price` gives. It does not know which model,
date or way its prices are of: `labkit.catalog.prices` finds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from labkit.catalog.listed import Rate
from labkit.records import Usage
from labkit.served import AS_ASKED, Served

WHOLES = {
    "cache_read": "input",
    "cache_write": "input",
    "reasoning": "output",
}
"""What is priced like the whole that it is a part of, where it has no price of its own."""


class Price(NamedTuple):
    """What a usage costs. `cost_usd` is None where `price_id` says `unknown: why`."""

    cost_usd: float | None
    price_id: str


class Rates:
    """Prices of one model at one date in one way of serving. `by_kind` are USD per token, empty where nothing
    is known; `fees` are USD for each `request`, `web_search` and `file_search`."""

    __slots__ = ("_flat", "by_kind", "fees", "holds_from", "price_id")

    def __init__(
        self,
        price_id: str,
        by_kind: Mapping[str, Rate],
        *,
        fees: Mapping[str, float] | None = None,
        holds_from: date | None = None,
    ) -> None:
        self.price_id = price_id
        self.by_kind = dict(by_kind)
        self.fees = dict(fees or {})
        self.holds_from = holds_from
        tiered = any(rate.tiers for rate in self.by_kind.values())
        known = "input" in self.by_kind and "output" in self.by_kind
        self._flat = tuple(map(self._base, ("input", "output", *WHOLES))) if known and not tiered else None

    def __repr__(self) -> str:
        return f"Rates({self.price_id!r})"

    def of(self, kind: str) -> Rate | None:
        """The price of a kind, that of its whole where it has none of its own. A cache write for an hour is
        dearer than one for minutes: where only these are priced, its price is not known."""
        own = self.by_kind.get(kind)
        if own is None and kind == "cache_write_1h":
            return None if "cache_write" in self.by_kind else self.by_kind.get("input")
        return own or self.by_kind.get(WHOLES.get(kind, kind))

    def price(self, usage: Usage, served: Served = AS_ASKED) -> Price:
        """What `usage` costs. None where its totals were not reported, or a price is not known."""
        entered, left = usage.input_tokens, usage.output_tokens
        why = self._unknown(usage, served)
        if why is not None or entered is None or left is None:
            return Price(None, why or self.price_id)
        read, written = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
        thought, hour = usage.reasoning_tokens or 0, served.cache_write_1h_tokens or 0
        if self._flat is not None:
            a, b, c, d, e = self._flat
            cost = (entered - read - written) * a + read * c + (written - hour) * d
            cost += (left - thought) * b + thought * e
        else:
            cost = 0.0
            for kind, count in (
                ("input", entered - read - written),
                ("cache_read", read),
                ("cache_write", written - hour),
                ("output", left - thought),
                ("reasoning", thought),
            ):
                rate = self.of(kind)
                cost += count * rate.at(entered) if rate is not None else 0.0
        if hour and (rate := self.of("cache_write_1h")) is not None:
            cost += hour * rate.at(entered)
        return Price(cost + self.fees_usd(served) if self.fees else cost, self.price_id)

    def bounds_usd(
        self,
        input_tokens: tuple[float, float],
        output_tokens: tuple[float, float],
        *,
        cached: bool,
        hour: bool = False,
    ) -> tuple[float, float] | None:
        """The least and the most that tokens in and out between these ends cost, without searches.

        `cached` says that some of the input may be read from or written to a cache, `hour` that it may be
        kept there for an hour. None where not known.
        """
        if "input" not in self.by_kind or ("output" not in self.by_kind and output_tokens[1]):
            return None
        entering, leaving = [self.of("input")], [self.of("output"), self.of("reasoning")]
        if cached or hour:
            entering += [self.of("cache_read"), self.of("cache_write")]
        if hour:
            entering.append(self.of("cache_write_1h"))
            if entering[-1] is None:
                return None
        least = most = self.fees.get("request", 0.0)
        for kinds, (low, high) in ((entering, input_tokens), (leaving, output_tokens)):
            rates = [rate for rate in kinds if rate is not None]
            least += low * min((rate.at(int(input_tokens[0])) for rate in rates), default=0.0)
            most += high * max((rate.worst(int(input_tokens[1])) for rate in rates), default=0.0)
        return least, most

    def _base(self, kind: str) -> float:
        rate = self.of(kind)
        return 0.0 if rate is None else rate.base

    def _unknown(self, usage: Usage, served: Served) -> str | None:
        """Why an answer has no cost, or None."""
        if "input" not in self.by_kind:
            return self.price_id
        for what, total in (("input", usage.input_tokens), ("output", usage.output_tokens)):
            if total is None:
                return f"unknown: {usage.doubt or f'{what} tokens were not reported'}"
        if "output" not in self.by_kind and usage.output_tokens:
            return f"unknown: {self.price_id} has no price for output"
        return None if served is AS_ASKED else self.unpriced(served) or self._hour(usage, served)

    def unpriced(self, served: Served) -> str | None:
        """What an answer was served with that has no price here, as `unknown: why`; None where all has."""
        for what, done in (
            (served.unpriced, served.unpriced),
            ("web searches", served.web_searches and "web_search" not in self.fees),
            ("file searches", served.file_searches and "file_search" not in self.fees),
        ):
            if done:
                return f"unknown: {self.price_id} has no price for {what}"
        return None

    def fees_usd(self, served: Served) -> float:
        """What is charged beside the tokens, as far as it has a price."""
        of = self.fees.get
        searches = served.web_searches * of("web_search", 0.0) + served.file_searches * of("file_search", 0.0)
        return of("request", 0.0) + searches

    def _hour(self, usage: Usage, served: Served) -> str | None:
        hour = served.cache_write_1h_tokens
        if hour is None and usage.cache_write_tokens:
            return "unknown: how long what was written to a cache is kept was not reported"
        if (hour or 0) > (usage.cache_write_tokens or 0):
            return "unknown: more tokens were kept in a cache for an hour than were written to it"
        if hour and self.of("cache_write_1h") is None:
            return f"unknown: {self.price_id} has no price for cache writes kept for an hour"
        return None
