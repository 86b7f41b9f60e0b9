"""What a usage costs, at a date.

The prices of a model at a date are compiled once into a few floats; pricing a usage is then a
handful of multiplications, and gives what `genai_prices.calc_price` gives. A price that is not
known gives no cost and says why; it is never 0. Cache writes are priced at the provider's standard
(shortest) retention, since a usage does not tell retentions apart. This module does not know who
spends.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from labkit.catalog.listed import BATCH, PER, Rate, listing
from labkit.catalog.model import Model
from labkit.endpoints import is_own_host
from labkit.records import Usage

KINDS = ("input", "output", "cache_read", "cache_write", "reasoning")
"""What a price can be for; the last three are parts of the first two, and priced like them by default."""

_CONTEXT = ("service_tier", "speed")  # params of a request that select another price


class Price(NamedTuple):
    """What a usage costs. `cost_usd` is None where `price_id` says `unknown: why`."""

    cost_usd: float | None
    price_id: str


class Pricer:
    """The prices of one model at one date. Made by `pricer`.

    `price_id` names them: `genai-prices 0.2.3 openai:gpt-4o from 2024-10-01`, with the id that was
    matched (which may be that of a broader model) and the day since which they hold, where the data
    says one. `rates` are USD per token by kind; empty where nothing is known.
    """

    __slots__ = ("_flat", "_input", "_output", "holds_from", "price_id", "rates", "request_usd")

    def __init__(
        self,
        price_id: str,
        rates: Mapping[str, Rate],
        *,
        request_usd: float = 0.0,
        holds_from: date | None = None,
    ) -> None:
        self.price_id = price_id
        self.rates = dict(rates)
        self.request_usd = request_usd
        self.holds_from = holds_from
        self._input, self._output = self.rates.get("input"), self.rates.get("output")
        flat = self._input is not None and self._output is not None
        self._flat: tuple[float, float, float, float, float] | None = None
        if flat and not any(rate.tiers for rate in self.rates.values()):
            read, write, think = (self._usd(kind) for kind in ("cache_read", "cache_write", "reasoning"))
            self._flat = (self._input.base, self._output.base, read, write, think)  # type: ignore[union-attr]

    def price(self, usage: Usage) -> Price:
        """What `usage` costs. None where its totals were not reported, or no price is known; its id says why.

        >>> from datetime import datetime, timezone
        >>> at = datetime(2026, 11, 1, tzinfo=UTC)
        >>> pricer(Model("openai/gpt-4o"), at).price(Usage(input_tokens=1000, output_tokens=100)).cost_usd
        0.0035
        """
        entered, left = usage.input_tokens, usage.output_tokens
        if self._input is None:
            return Price(None, self.price_id)
        if entered is None or left is None:
            missing = "input" if entered is None else "output"
            return Price(None, f"unknown: {usage.doubt or f'{missing} tokens were not reported'}")
        read, written = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
        thought = usage.reasoning_tokens or 0
        if self._flat is not None:
            a, b, c, d, e = self._flat
            cost = (
                (entered - read - written) * a + read * c + written * d + (left - thought) * b + thought * e
            )
            return Price(cost + self.request_usd, self.price_id)
        if self._output is None and left:
            return Price(None, f"unknown: {self.price_id} has no price for output")
        cost = self.request_usd
        for kind, fallback, count in (
            ("input", "input", entered - read - written),
            ("cache_read", "input", read),
            ("cache_write", "input", written),
            ("output", "output", left - thought),
            ("reasoning", "output", thought),
        ):
            rate = self.rates.get(kind) or self.rates.get(fallback)
            cost += count * rate.at(entered) if rate is not None else 0.0
        return Price(cost, self.price_id)

    def worst_usd(self, input_tokens: int, output_tokens: int) -> float | None:
        """The most a request can cost with at most so many tokens in and out; None where not known."""
        if self._input is None or (self._output is None and output_tokens):
            return None
        of = self.rates.get
        entering = [rate for rate in (of("input"), of("cache_read"), of("cache_write")) if rate is not None]
        leaving = [rate for rate in (of("output"), of("reasoning")) if rate is not None]
        most_in = max(rate.worst(input_tokens) for rate in entering)
        most_out = max((rate.worst(input_tokens) for rate in leaving), default=0.0)
        return input_tokens * most_in + output_tokens * most_out + self.request_usd

    def bounds_usd(
        self,
        input_tokens: tuple[float, float],
        output_tokens: tuple[float, float],
        *,
        cached: bool,
    ) -> tuple[float, float] | None:
        """The least and the most a request costs with tokens in and out between these ends.

        `cached` says that some of its input may be read from or written to a cache. None where not known.

        >>> from datetime import datetime
        >>> found = pricer(Model("x/y", prices={"input": 1, "output": 4}), datetime(2026, 11, 1))
        >>> found.bounds_usd((1e6, 2e6), (0, 1e6), cached=False)
        (1.0, 6.0)
        """
        if self._input is None or (self._output is None and output_tokens[1]):
            return None
        of = self.rates.get
        entering, leaving = [of("input")], [of("output"), of("reasoning")]
        if cached:
            entering += [of("cache_read"), of("cache_write")]
        least = most = self.request_usd
        for kinds, (low, high) in ((entering, input_tokens), (leaving, output_tokens)):
            rates = [rate for rate in kinds if rate is not None]
            least += low * min((rate.at(int(input_tokens[0])) for rate in rates), default=0.0)
            most += high * max((rate.worst(int(input_tokens[1])) for rate in rates), default=0.0)
        return least, most

    def usd_mtok(self, kind: str) -> float | None:
        """USD per million tokens of `kind` (`input`, `output`, `cache_read`, `cache_write`), at base."""
        rate = self.rates.get(kind)
        return None if rate is None else round(rate.base * PER, 9)

    def _usd(self, kind: str) -> float:
        fallback = "output" if kind == "reasoning" else "input"
        return (self.rates.get(kind) or self.rates[fallback]).base

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
    if model.prices is not None:
        if batch:
            return Pricer(f"unknown: the prices given for {model.id} have none for batches", {})
        given = {kind: Rate(float(usd) / PER) for kind, usd in model.prices.items()}
        return Pricer(f"given: prices of {model.id}", given)
    if model.dialect in ("local", "scripted"):
        free = {"input": Rate(0.0), "output": Rate(0.0)}
        return Pricer(f"declared: {model.dialect} models cost nothing", free)
    chosen = model.params if params is None else params
    context = tuple((key, chosen[key]) for key in _CONTEXT if isinstance(chosen.get(key), str))
    if batch:
        context += ((BATCH, "batch"),)
    moment = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    own = model.base_url is None or is_own_host(model.base_url, model.provider)
    base_url = None if own or model.client is not None else model.base_url
    return _compiled(model.provider, base_url, model.name, moment, context)


@lru_cache(maxsize=1024)
def _compiled(
    provider: str, base_url: str | None, name: str, at: datetime, context: tuple[tuple[str, str], ...]
) -> Pricer:
    found = listing(provider, name, at, base_url=base_url, context=dict(context))
    if isinstance(found, str):
        return Pricer(f"unknown: {found}", {})
    if found.odd:
        return Pricer(f"unknown: {found.price_id} is priced by {', '.join(found.odd)}", {})
    if "input" not in found.rates:
        return Pricer(f"unknown: {found.price_id} has no price for input tokens", {})
    return Pricer(found.price_id, found.rates, request_usd=found.request_usd, holds_from=found.since)
