"""What genai-prices' bundled data says of a model: which entry it is, and its prices at a date.

Nothing is fetched: new prices come with a new version of genai-prices. It does not know a user's own
prices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

PER = 1_000_000
"""Prices are listed per so many tokens."""

BATCH = "processing"
"""What a context calls the way a request is processed; `batch` is a provider's slow, cheap service."""

_GIVE = "give prices={'input': …, 'output': …}"
_KEYS = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_reasoning_mtok": "reasoning",
}
_FEES = {
    "requests_kcount": "request",
    "web_searches_kcount": "web_search",
    "storage_searches_kcount": "file_search",
}
"""Prices per thousand, beside those per token."""


@dataclass(frozen=True)
class Rate:
    """One price: USD per token, and what it becomes for requests beyond so many input tokens."""

    base: float
    tiers: tuple[tuple[int, float], ...] = ()
    """(more input tokens than this, USD per token), ascending; a tier holds for all the tokens."""

    def at(self, input_tokens: int) -> float:
        """The price per token of a request with that many input tokens."""
        found = self.base
        for start, usd in self.tiers:
            if input_tokens > start:
                found = usd
        return found

    def worst(self, input_tokens: int) -> float:
        """The highest price per token of any request with at most that many input tokens."""
        return max([self.base, *(usd for start, usd in self.tiers if input_tokens > start)])


@dataclass(frozen=True)
class Listing:
    """A model's prices at a date. `odd` are those that a usage cannot be priced by."""

    price_id: str
    rates: Mapping[str, Rate]
    fees: Mapping[str, float]
    """USD for each `request`, `web_search` and `file_search`, where one is listed."""
    since: date | None
    odd: tuple[str, ...]
    tiers: tuple[str, ...]
    """The service tiers that have prices of their own."""


def listing(
    provider: str, name: str, at: datetime, *, base_url: str | None, context: Mapping[str, str]
) -> Listing | str:
    """The prices listed for a model at `at`, or why there are none.

    `context` is how a request is served where that is not the standard way, such as by `service_tier`.
    """
    found = find(provider, name, base_url=base_url)
    if isinstance(found, str):
        return found
    owner, info = found
    # A model found at another provider (Azure selling OpenAI's) has that one's standard price.
    own = any(info is one for one in owner.models)
    for key, value in context.items():
        if not own or value not in _variants(info, key, at):
            way = value if key == BATCH else f"{key}={value}"
            return f"genai-prices has no {way} price for {info.id} at {owner.id}"
    prices = info.get_prices(at, context if own else None)
    since = _since(info, at)
    price_id = f"genai-prices {_version()} {owner.id}:{info.id}" + (f" from {since}" if since else "")
    price_id += "".join(f" {key}={value}" for key, value in context.items())
    rates, fees, odd = _rates(prices)
    tiers = _variants(info, "service_tier", at) if own else ()
    return Listing(price_id, rates, fees, since, tuple(odd), tuple(tiers))


def find(provider: str, name: str, *, base_url: str | None = None) -> tuple[Provider, ModelInfo] | str:
    """genai-prices' entry for a model, or why there is none."""
    from genai_prices.data_snapshot import get_snapshot

    snapshot = get_snapshot()
    if base_url is not None:
        try:
            owner = snapshot.find_provider(None, None, base_url)
        except LookupError:
            return f"genai-prices does not know who answers at {base_url}; {_GIVE}"
    else:
        # By its exact id only: the data's own looser matching would price `my-openai-proxy` as OpenAI.
        listed = next((one for one in snapshot.providers if one.id == provider), None)
        if listed is None:
            return f"genai-prices has no provider {provider}; {_GIVE}"
        owner = listed
    info = owner.find_model(name.lower(), all_providers=snapshot.providers)
    if info is None:
        return f"genai-prices has no price for {name} at {owner.id}; {_GIVE}"
    return owner, info


def known_url(url: str) -> str | None:
    """`url`, if genai-prices knows who answers there."""
    from genai_prices.data_snapshot import get_snapshot

    try:
        get_snapshot().find_provider(None, None, url)
    except LookupError:
        return None
    return url


@cache
def ids(provider: str) -> tuple[str, ...]:
    """The ids genai-prices lists for a provider, as `provider/name`."""
    from genai_prices.data_snapshot import get_snapshot

    owner = next((one for one in get_snapshot().providers if one.id == provider), None)
    return tuple(f"{provider}/{info.id}" for info in owner.models) if owner else ()


def _rates(prices: ModelPrice) -> tuple[dict[str, Rate], dict[str, float], list[str]]:
    from genai_prices.types import TieredPrices

    rates: dict[str, Rate] = {}
    fees: dict[str, float] = {}
    odd = []
    for key, value in prices.__dict__.items():
        if value is None:
            continue
        if key in _KEYS:
            tiers = value.tiers if isinstance(value, TieredPrices) else ()
            base = value.base if isinstance(value, TieredPrices) else value
            steps = tuple((tier.start, float(tier.price) / PER) for tier in tiers)
            rates[_KEYS[key]] = Rate(float(base) / PER, steps)
        elif key in _FEES and not isinstance(value, TieredPrices):
            fees[_FEES[key]] = float(value) / 1000
        elif key in _ambiguous():
            odd.append(key)
    return rates, fees, odd


def _variants(info: ModelInfo, key: str, at: datetime) -> list[str]:
    """The values of `key` that have prices of their own at `at`."""
    return [
        variant.when[key]
        for variant in info.price_variants or ()
        if key in variant.when and (variant.constraint is None or variant.constraint.active(at))
    ]


@cache
def _ambiguous() -> frozenset[str]:
    """Prices that would apply to tokens a `Usage` counts, but in parts that it does not tell apart."""
    from genai_prices.data_units import unit_data

    found = set()
    for key, unit in unit_data.items():
        dimensions = dict(unit.get("dimensions", {}))
        tokens = dimensions.pop("family", "") == "tokens" and "direction" in dimensions
        modality = dimensions.pop("modality", "text")
        kind = dimensions.get("token_type", "cache_write" if "cache_ttl" in dimensions else None)
        plain = (
            kind in (None, "cache_read", "cache_write", "reasoning") and dimensions.get("cache_ttl") != "1h"
        )
        price_key = str(unit.get("price_key", key))
        if tokens and modality == "text" and plain and price_key not in _KEYS:
            found.add(price_key)
    return frozenset(found)


def _since(info: ModelInfo, at: datetime) -> date | None:
    from genai_prices.types import ModelPrice, StartDateConstraint

    if isinstance(info.prices, ModelPrice):
        return None
    for conditional in reversed(info.prices):
        if conditional.constraint is None or conditional.constraint.active(at):
            constraint = conditional.constraint
            return constraint.start_date if isinstance(constraint, StartDateConstraint) else None
    return None


@cache
def _version() -> str:
    return version("genai-prices")
