"""labkit.catalog.prices: what a usage costs at a date, as genai-prices computes it (group B10)."""

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime, timedelta, timezone

import genai_prices
import pytest
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelPrice
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.catalog import listed
from labkit.catalog.model import Model
from labkit.catalog.prices import _compiled, pricer
from labkit.catalog.rates import Rates
from labkit.providers.counts import Counts, named
from labkit.records import Usage
from labkit.served import AS_ASKED, Served

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
FOR_AN_HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
USAGE = Usage(input_tokens=1_000_000, output_tokens=1_000_000)
PROVIDERS = {provider.id: provider for provider in get_snapshot().providers}
ALL = [(provider.id, info.id) for provider in PROVIDERS.values() for info in provider.models]
KNOWN = [(provider, name) for provider, name in ALL if provider in ("openai", "anthropic")]


@st.composite
def usages(draw):
    """Usages whose parts are no larger than their wholes, also beyond the tiers' thresholds."""
    entered = draw(st.integers(0, 1_500_000))
    read = draw(st.integers(0, entered))
    left = draw(st.integers(0, 200_000))
    return Usage(
        input_tokens=entered,
        cache_read_tokens=read,
        cache_write_tokens=draw(st.integers(0, entered - read)),
        output_tokens=left,
        reasoning_tokens=draw(st.integers(0, left)),
    )


dates = st.datetimes(datetime(2023, 1, 1), datetime(2027, 6, 1), timezones=st.just(UTC))  # noqa: DTZ001


def as_they_price(provider, name, usage, at, context=None):
    """What genai-prices says, which expects inclusive totals as `Usage` has them."""
    theirs = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_tokens=usage.output_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
    )
    return float(
        genai_prices.calc_price(
            theirs, name, provider_id=provider, genai_request_timestamp=at, price_context=context
        ).total_price
    )


@settings(deadline=None, max_examples=400)
@given(model=st.sampled_from(ALL), usage=usages(), at=dates)
def test_a_cost_is_what_genai_prices_computes(model, usage, at):
    """For every listed model, usage and date: dated, tiered and cached prices give genai-prices' own cost."""
    provider, name = model
    ours = _compiled(provider, None, name, at, ()).price(usage)
    if ours.cost_usd is None:
        assert ours.price_id.startswith("unknown: ")
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert ours.cost_usd == pytest.approx(
                as_they_price(provider, name, usage, at), rel=1e-9, abs=1e-12
            )


def test_every_chat_model_of_both_providers_is_priced():
    """Of the chat models of both only those without a price for text in and out are unknown, and those
    that search for every answer, for which no fee is listed."""
    for provider, name in KNOWN:
        info = next(info for info in PROVIDERS[provider].models if info.id == name)
        if info.is_match(name):  # a few entries are prefixes of fine-tuned models, and no models themselves
            found = pricer(Model(f"{provider}/{name}"), AT).price(USAGE)
            keys = {key for key, value in info.get_prices(AT).__dict__.items() if value is not None}
            searches = "-search-" in name
            known = {"input_mtok", "output_mtok"}.issubset(keys) and not searches
            assert (found.cost_usd is not None) == known, (name, found.price_id)
            assert not searches or "no price for web searches" in found.price_id


@pytest.mark.parametrize("entered", [1_000, 300_000])
def test_every_listed_model_costs_what_genai_prices_computes(entered):
    """All of the data's models, below and above the tiers, cost to us what they cost to genai-prices."""
    usage = Usage(
        input_tokens=entered,
        cache_read_tokens=entered // 4,
        cache_write_tokens=entered // 8,
        output_tokens=777,
        reasoning_tokens=77,
    )
    agreed = 0
    for provider, name in ALL:
        ours = _compiled(provider, None, name, AT, ()).price(usage).cost_usd
        if ours is not None:
            agreed += 1
            assert ours == pytest.approx(as_they_price(provider, name, usage, AT), rel=1e-9), (provider, name)
    assert agreed > 0.8 * len(ALL)  # the others are embeddings, images, or without a price


def test_prices_are_those_of_the_date():
    """o3 became cheaper on 10 June 2025: a request is priced by the day it was sent, in UTC."""
    model = Model("openai/o3")
    before, after = (pricer(model, datetime(2025, 6, day, 12, tzinfo=UTC)) for day in (9, 10))
    assert (before.usd_mtok("input"), after.usd_mtok("input")) == (10.0, 2.0)
    assert (before.holds_from, after.holds_from) == (None, date(2025, 6, 10))
    assert after.price_id.endswith("openai:o3 from 2025-06-10")
    late = datetime(2025, 6, 9, 23, tzinfo=timezone(timedelta(hours=-5)))
    assert pricer(model, late).price_id == after.price_id
    assert pricer(model, datetime(2025, 6, 10, 12)).price_id == after.price_id  # noqa: DTZ001


def test_tiers_hold_for_all_the_tokens():
    """Claude Haiku 5.5 costs five times as much, all of it, once a prompt passes 100,000 tokens."""
    found = pricer(Model("anthropic/claude-haiku-5-5"), AT)
    below, above = (
        found.price(Usage(input_tokens=n, output_tokens=1000)).cost_usd for n in (100_000, 100_001)
    )
    assert below == pytest.approx(0.1 * 0.1 + 0.0005)
    assert above == pytest.approx(0.100001 * 0.5 + 0.0025)


def test_cached_tokens_have_their_own_prices():
    """Input includes what was read from and written to a cache; each part has its price."""
    usage = Usage(input_tokens=1000, cache_read_tokens=600, cache_write_tokens=300, output_tokens=0)
    cost = pricer(Model("anthropic/claude-haiku-4-5"), AT).price(usage).cost_usd
    assert cost == pytest.approx((100 * 1.0 + 600 * 0.1 + 300 * 1.25) / 1e6)
    assert pricer(Model("openai/gpt-4-turbo"), AT).price(usage).cost_usd == pytest.approx(1000 * 10 / 1e6)


def as_chat(plain, read, written, left):
    """What OpenAI's chat completions report: everything read from or written to a cache inside the input."""
    return {
        "prompt_tokens": plain + read + written,
        "completion_tokens": left,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
    }


def as_responses(plain, read, written, left):
    """The same in the words of OpenAI's responses API."""
    return {
        "input_tokens": plain + read + written,
        "output_tokens": left,
        "input_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
    }


def as_messages(plain, read, written, left):
    """What Anthropic's messages report: what was read from or written to a cache beside the input."""
    return {
        "input_tokens": plain,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "output_tokens": left,
    }


def usage_in(raw, *, beside=False):
    """What is read from a usage as it came, in a dialect that counts its cache beside the input or inside."""
    told = Counts()
    told.add(named(raw))
    return told.usage(said=True, beside=beside)


counts = st.integers(1, 200_000)


@settings(deadline=None)
@given(plain=counts, read=counts, written=counts, left=counts)
def test_a_cache_is_paid_once_inside_or_beside_the_input(plain, read, written, left):
    """OpenAI counts its cache inside the input and Anthropic beside it: the same tokens cost the same."""
    own = Model("x/y", prices={"input": 1, "cache_read": 0.1, "cache_write": 1.25, "output": 5})
    parts = plain, read, written, left
    usages = [
        usage_in(as_chat(*parts)),
        usage_in(as_responses(*parts)),
        usage_in(as_messages(*parts), beside=True),
    ]
    expected = (plain + 0.1 * read + 1.25 * written + 5 * left) / 1e6
    for usage in usages:
        assert pricer(own, AT).price(usage).cost_usd == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("provider", "name", "flavor", "report"),
    [
        ("openai", "gpt-6-luna", "chat", as_chat),
        ("openai", "gpt-6-luna", "responses", as_responses),
        ("anthropic", "claude-haiku-4-5", "default", as_messages),
    ],
)
def test_a_payload_costs_what_genai_prices_reads_from_it(provider, name, flavor, report):
    """From one raw payload labkit reads and prices what genai-prices itself reads and prices."""
    raw = report(100, 600, 300, 50)
    theirs = genai_prices.extract_usage(
        {"model": name, "usage": raw}, provider_id=provider, api_flavor=flavor
    ).calc_price(genai_request_timestamp=AT)
    ours = pricer(Model(f"{provider}/{name}"), AT).price(usage_in(raw, beside=provider == "anthropic"))
    assert ours.cost_usd == pytest.approx(float(theirs.total_price), rel=1e-9)


def test_a_batch_has_its_own_prices():
    """Anthropic's batches cost half of everything; a model without a listed batch price has none."""
    model, usage = (
        Model("anthropic/claude-haiku-4-5"),
        Usage(input_tokens=1000, cache_read_tokens=400, cache_write_tokens=100, output_tokens=50),
    )
    batch = pricer(model, AT, batch=True)
    assert batch.price(usage).cost_usd == pytest.approx(pricer(model, AT).price(usage).cost_usd / 2)
    assert batch.price(usage).cost_usd == pytest.approx(
        as_they_price("anthropic", "claude-haiku-4-5", usage, AT, {"processing": "batch"})
    )
    assert batch.price_id.endswith("processing=batch")
    unlisted = pricer(Model("openai/gpt-4.5-preview"), AT, batch=True)
    assert unlisted.price(usage).cost_usd is None
    assert "no batch price for gpt-4.5-preview at openai" in unlisted.price_id
    given = pricer(Model("x/y", prices={"input": 1, "output": 2}), AT, batch=True)
    assert given.price(usage).cost_usd is None
    assert pricer(Model("local/smollm2-135m"), AT, batch=True).price(usage).cost_usd == 0.0


@settings(deadline=None)
@given(
    model=st.sampled_from(KNOWN),
    usage=usages(),
    slack=st.tuples(*[st.integers(0, 10**5) for _ in range(4)]),
)
def test_a_cost_lies_within_its_bounds(model, usage, slack):
    """No usage between the ends costs less than the lower bound or more than the upper, cached or not."""
    found = pricer(Model("/".join(model)), AT)
    entered, left = usage.input_tokens, usage.output_tokens
    ends = (max(0, entered - slack[0]), entered + slack[1]), (max(0, left - slack[2]), left + slack[3])
    bounds = found.bounds_usd(*ends, cached=True)
    cost = found.price(usage).cost_usd
    if bounds is not None:
        assert bounds[0] * (1 - 1e-9) - 1e-12 <= cost <= bounds[1] * (1 + 1e-9) + 1e-12
    plain = usage_without_cache(usage)
    bounds = found.bounds_usd(*ends, cached=False)
    if bounds is not None:
        cost = found.price(plain).cost_usd
        assert bounds[0] * (1 - 1e-9) - 1e-12 <= cost <= bounds[1] * (1 + 1e-9) + 1e-12


def usage_without_cache(usage):
    """The same totals, nothing of them from a cache."""
    return Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        reasoning_tokens=usage.reasoning_tokens,
    )


def test_a_faster_service_has_its_own_price():
    """The parameters that select another price, such as OpenAI's service tier, are priced and shown."""
    model = Model("openai/gpt-6-luna", params={"service_tier": "priority"})
    found = pricer(model, AT)
    assert found.price_id.endswith("service_tier=priority")
    usage = Usage(
        input_tokens=1000, output_tokens=1000, cache_read_tokens=0, cache_write_tokens=0, reasoning_tokens=0
    )
    context = {"service_tier": "priority"}
    assert found.price(usage).cost_usd == pytest.approx(
        as_they_price("openai", "gpt-6-luna", usage, AT, context)
    )
    assert found.price(usage).cost_usd > pricer(model, AT, params={}).price(usage).cost_usd


TIERS = (None, "default", "flex", "priority", "fast", "scale", "standard", "batch")


@settings(deadline=None, max_examples=300)
@given(
    model=st.sampled_from(KNOWN),
    usage=usages(),
    asked=st.sampled_from((*TIERS, "auto")),
    tier=st.sampled_from(TIERS),
    speed=st.sampled_from((None, "standard", "fast")),
    counts=st.tuples(st.integers(0, 5), st.integers(0, 5), st.floats(0, 1)),
)
def test_a_cost_is_that_of_what_was_served(model, usage, asked, tier, speed, counts):
    """Tier and speed of the answer, an hour's cache and searches cost what genai-prices computes for them,
    whatever was asked for; where it lists no such price the cost is unknown."""
    provider, name = model
    searches, files, share = counts
    hour = int(share * (usage.cache_write_tokens or 0))
    served = Served(
        service_tier=tier, speed=speed, cache_write_1h_tokens=hour, web_searches=searches, file_searches=files
    )
    params = {} if asked is None else {"service_tier": asked}
    ours = pricer(Model(f"{provider}/{name}", params=params), AT).price(usage, served)
    if ours.cost_usd is None:
        assert ours.price_id.startswith("unknown: ")
        return
    effective = tier or (asked if asked in TIERS else None)
    context = {"processing": "batch"} if effective == "batch" else {"service_tier": effective or "default"}
    theirs = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cache_write_1h_tokens=hour,
        output_tokens=usage.output_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
        web_searches=searches,
        storage_searches=files,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = genai_prices.calc_price(
            theirs,
            name,
            provider_id=provider,
            genai_request_timestamp=AT,
            price_context=context | ({"speed": speed} if speed else {}),
        ).total_price
    assert ours.cost_usd == pytest.approx(float(expected), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("model", "params", "served", "why"),
    [
        ("openai/gpt-5", {}, Served(service_tier="scale"), "no service_tier=scale price for gpt-5"),
        ("openai/gpt-4o", {}, Served(service_tier="flex"), "no service_tier=flex price for gpt-4o"),
        ("anthropic/claude-haiku-4-5", {}, Served(service_tier="priority"), "service_tier=priority"),
        ("anthropic/claude-haiku-4-5", {"speed": "fast"}, AS_ASKED, "no speed=fast price"),
        ("anthropic/claude-opus-5", {}, Served(inference_geo="us"), "no inference_geo=us price"),
        ("openai/gpt-5", {}, Served(unpriced="code_interpreter_call"), "no price for code_interpreter_call"),
        ("anthropic/claude-3-haiku", {}, Served(web_searches=1), "no price for web searches"),
        ("anthropic/claude-haiku-4-5", {}, Served(file_searches=1), "no price for file searches"),
        ("anthropic/claude-haiku-4-5", {}, Served(cache_write_1h_tokens=11), "than were written to it"),
        ("anthropic/claude-haiku-4-5", {}, Served(cache_write_1h_tokens=None), "was not reported"),
        ("anthropic/claude-haiku-4-5", FOR_AN_HOUR, AS_ASKED, "is kept was not reported"),
        ("anthropic/claude-haiku-4-5", FOR_AN_HOUR, Served(tells_kept=True), None),
        ("openai/gpt-6-luna", {}, Served(cache_write_1h_tokens=5), "cache writes kept for an hour"),
        ("openai/gpt-4o-search-preview", {}, AS_ASKED, "no price for web searches"),
        ("openai/gpt-5", {"web_search_options": {}}, AS_ASKED, None),
        (
            "openai/gpt-4o",
            {"tools": [{"type": "web_search_preview"}]},
            Served(web_searches=1),
            "no price for a web_search_preview",
        ),
    ],
)
def test_what_no_list_has_a_price_for_is_unknown(model, params, served, why):
    """A way of serving, a retention or a tool that the list has no price for makes the cost unknown, with the
    reason, as does a retention that was asked for and is not told; one that it has makes it known."""
    usage = Usage(input_tokens=100, cache_write_tokens=10, output_tokens=10)
    cost, price_id = pricer(Model(model, params=params), AT).price(usage, served)
    assert (cost is None) == (why is not None)
    assert price_id.startswith("unknown: ") == (why is not None)
    assert (why or "") in price_id


def test_given_prices_are_those_of_what_was_asked():
    """A user's own prices hold for the way that was asked for and the standard one, and for no other; what is
    kept for an hour has a price of its own, or that of the input where no cache has one."""
    usage = Usage(input_tokens=1_000_000, cache_write_tokens=1_000_000, output_tokens=0)
    hour = Served(cache_write_1h_tokens=1_000_000)
    plain = {"input": 1, "output": 2}
    asked = pricer(Model("x/y", prices=plain, params={"service_tier": "flex"}), AT)
    assert asked.price(usage, Served(service_tier="flex")).cost_usd == 1
    assert asked.price(usage, Served(service_tier="default")).cost_usd == 1
    assert (
        "have none for service_tier=priority" in asked.price(usage, Served(service_tier="priority")).price_id
    )
    for prices, cost in (
        (plain, 1),
        (plain | {"cache_write": 1.25}, None),
        (plain | {"cache_write": 1.25, "cache_write_1h": 3}, 3),
    ):
        assert pricer(Model("x/y", prices=prices), AT).price(usage, hour).cost_usd == cost


@pytest.mark.parametrize(
    ("base_url", "id", "priced_as"),
    [
        ("https://lab.openai.azure.com/openai/", "openai/gpt-4o", " azure:"),
        (
            "https://bedrock-runtime.us-east-1.amazonaws.com",
            "x/anthropic.claude-haiku-4-5-20251001-v1:0",
            " aws:",
        ),
        ("https://api.openai.com/v1/", "openai/gpt-4o", " openai:"),
        ("http://127.0.0.1:8000/v1/", "openai/gpt-4o", " openai:"),
    ],
)
def test_a_client_is_priced_by_whoever_it_asks(base_url, id, priced_as):
    """An SDK client whose address genai-prices knows is priced by who answers there, any other by the id."""

    class Client:
        pass

    client = Client()
    client.base_url = base_url
    assert priced_as in pricer(Model(id, client=client), AT).price_id


def test_the_matched_id_is_shown():
    """Matching by prefix prices `gpt-5.1-codex` as `gpt-5.1`: the price's id says so."""
    assert ":gpt-5.1" in pricer(Model("openai/gpt-5.1-codex"), AT).price_id
    assert pricer(Model("openai/gpt-4o"), AT).price_id == (
        f"genai-prices {genai_prices.__version__} openai:gpt-4o"
    )


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (Model("openai/no-such-model"), "no price for no-such-model at openai"),
        (Model("house/x", base_url="http://127.0.0.1:8000/v1"), "who answers at http://127.0.0.1:8000"),
        (Model("openai/gpt-4o", base_url="https://proxy.example/v1"), "who answers at https://proxy.example"),
        (Model("my-openai-proxy/gpt-4o", client=object()), "no provider my-openai-proxy"),
        (Model("openai/whisper-1"), "no price for input tokens"),
    ],
)
def test_an_unknown_price_is_no_cost_and_says_why(model, why):
    """B10: a model without a price costs None, never 0, and the reason stands in the price's id."""
    found = pricer(model, AT)
    cost, price_id = found.price(USAGE)
    assert cost is None
    assert price_id.startswith("unknown: ")
    assert why in price_id
    assert found.worst_usd(1, 1) is None
    assert found.usd_mtok("input") is None


@pytest.mark.parametrize(
    ("base_url", "provider"),
    [
        ("https://api.groq.com/openai/v1", "groq"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("https://api.deepseek.com", "deepseek"),
    ],
)
def test_a_known_endpoint_has_its_own_prices(base_url, provider):
    """With a base URL the price is that of whoever answers there."""
    name = next(info.id for info in PROVIDERS[provider].models if isinstance(info.prices, ModelPrice))
    found = pricer(Model(f"x/{name}", base_url=base_url), AT)
    assert f" {provider}:" in found.price_id


def test_the_providers_own_address_changes_nothing():
    """Writing the provider's own address out is the same as leaving it out."""
    written = Model("openai/gpt-4o", base_url="https://api.openai.com/v1")
    assert pricer(written, AT).price_id == pricer(Model("openai/gpt-4o"), AT).price_id


def test_given_prices_win():
    """A user's own prices are used as they are; parts without a price of their own cost like the whole."""
    model = Model("openai/gpt-4o", prices={"input": 1, "output": 2, "cache_read": 0.5})
    found = pricer(model, AT)
    usage = Usage(
        input_tokens=100, cache_read_tokens=50, cache_write_tokens=10, output_tokens=10, reasoning_tokens=5
    )
    assert found.price(usage) == (
        pytest.approx((50 * 1 + 50 * 0.5 + 10 * 2) / 1e6),
        "given: prices of openai/gpt-4o",
    )


@pytest.mark.parametrize("id", ["local/smollm2-135m", "scripted/echo"])
def test_what_runs_here_costs_nothing_by_declaration(id):
    """Local and scripted models have a declared cost of 0, which is a price and not a gap."""
    found = pricer(Model(id), AT)
    assert found.price(USAGE) == (0.0, f"declared: {id.partition('/')[0]} models cost nothing")
    assert found.worst_usd(10**9, 10**9) == 0.0


@pytest.mark.parametrize(
    ("usage", "what"),
    [
        (Usage(), "input"),
        (Usage(input_tokens=5), "output"),
        (Usage(output_tokens=5), "input"),
        (Usage(cache_read_tokens=5, output_tokens=1), "input"),
    ],
)
def test_unreported_totals_are_no_cost(usage, what):
    """A usage without a total has no cost, and the reason says which total was not reported."""
    assert pricer(Model("openai/gpt-4o"), AT).price(usage) == (
        None,
        f"unknown: {what} tokens were not reported",
    )


def test_unreported_parts_are_none():
    """A usage that reports no cache and no reasoning is priced by its totals."""
    found = pricer(Model("openai/gpt-4o"), AT)
    assert found.price(Usage(input_tokens=1000, output_tokens=100)).cost_usd == pytest.approx(0.0035)
    assert found.price(Usage(input_tokens=0, output_tokens=0)).cost_usd == 0.0


@settings(deadline=None)
@given(
    model=st.sampled_from(KNOWN),
    usage=usages(),
    slack=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)),
)
def test_the_worst_case_is_never_passed(model, usage, slack):
    """No usage within the bounds costs more than the worst case, whatever its parts and tiers."""
    found = pricer(Model("/".join(model)), AT)
    cost = found.price(usage).cost_usd
    worst = found.worst_usd(usage.input_tokens + slack[0], usage.output_tokens + slack[1])
    if worst is not None:
        assert cost <= worst * (1 + 1e-9) + 1e-12
    elif usage.output_tokens:
        assert cost is None


@settings(deadline=None, max_examples=200)
@given(
    model=st.sampled_from(KNOWN),
    usage=usages(),
    asked=st.sampled_from((None, "auto", "default", "flex", "priority", "fast")),
    tier=st.sampled_from(("default", "flex", "priority", "fast")),
    share=st.floats(0, 1),
)
def test_the_worst_case_holds_however_it_is_served(model, usage, asked, tier, share):
    """Asked for any tier or none, an answer of any tier that may be served costs no more than the worst case,
    also where all that is written to a cache is kept for an hour, as was asked."""
    provider, name = model
    if tier not in ("default", asked) and asked not in (None, "auto"):
        return
    if asked == "default" and tier != "default":
        return
    params = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    params |= {} if asked is None else {"service_tier": asked}
    found = pricer(Model(f"{provider}/{name}", params=params), AT)
    served = Served(service_tier=tier, cache_write_1h_tokens=int(share * usage.cache_write_tokens))
    cost = found.price(usage, served).cost_usd
    worst = found.worst_usd(usage.input_tokens, usage.output_tokens)
    if worst is not None and cost is not None:
        assert cost <= worst * (1 + 1e-9) + 1e-12


def worst(params, *, id="anthropic/claude-haiku-4-5", window=200_000):
    """The most that 1,000 tokens in and 100 out cost under `params`."""
    return pricer(Model(id, params=params, context_window=window), AT).worst_usd(1000, 100)


def test_the_worst_case_is_that_of_what_may_be_served():
    """What was asked decides what is set aside: `auto` or nothing may be served by any tier; an hour's
    cache costs twice the input; a search costs its fee, and another reading of all the model can see."""
    plain = worst({"service_tier": "default"}, id="openai/gpt-5")
    assert plain == pytest.approx((1000 * 1.25 + 100 * 10) / 1e6)
    for asked in ({}, {"service_tier": "auto"}, {"service_tier": "priority"}):
        assert worst(asked, id="openai/gpt-5") == pytest.approx(2 * plain)
    assert worst({"service_tier": "flex"}, id="openai/gpt-5") == pytest.approx(plain)
    assert worst({"service_tier": "scale"}, id="openai/gpt-5") is None
    assert worst({}) == pytest.approx((1000 * 1.25 + 100 * 5) / 1e6)
    assert worst({"cache_control": {"type": "ephemeral", "ttl": "1h"}}) == pytest.approx(
        (1000 * 2 + 500) / 1e6
    )
    assert worst({"inference_geo": "us"}) is None
    search = {"type": "web_search_20250305", "name": "web_search"}
    three = (4 * 200_000 * 1.25 + 500) / 1e6 + 3 * 0.01
    assert worst({"tools": [{**search, "max_uses": 3}]}) == pytest.approx(three)
    assert worst({"tools": [{**search, "max_uses": 3}]}, window=None) is None
    assert worst({"tools": [search]}) is None
    assert worst({"modalities": ["text"]}, id="openai/gpt-4o") is not None
    assert worst({"modalities": ["text", "audio"]}, id="openai/gpt-4o-audio-preview") is None
    assert worst({"tools": [{"name": "mine", "input_schema": {}}]}) == pytest.approx(worst({}))
    function = {"type": "function", "function": {"name": "mine"}}
    assert worst({"tools": [function]}, id="openai/gpt-4o") is not None
    files = {"tools": [{"type": "file_search"}], "max_tool_calls": 2}
    assert worst(files, id="openai/gpt-4o") == pytest.approx((3 * 200_000 * 4.25 + 1700) / 1e6 + 2 * 0.0025)
    assert worst({"tools": [{"type": "code_interpreter"}], "max_tool_calls": 2}, id="openai/gpt-4o") is None
    assert worst({"mcp_servers": [{"url": "https://x.example"}]}) is None
    assert worst({}, id="openai/gpt-4o-search-preview") is None


def test_a_pricer_is_compiled_once_per_model_and_date():
    """The same model at the same date has the same prices, so plans of many cells pay for one look-up."""
    assert pricer(Model("openai/gpt-4o"), AT).rates is pricer(Model("openai/gpt-4o"), AT).rates


def test_a_price_for_output_only_where_there_is_output():
    """A model priced for input only, such as an embedding, has a cost as long as nothing came out."""
    found = pricer(Model("openai/text-embedding-3-small"), AT)
    assert found.price(Usage(input_tokens=1_000_000, output_tokens=0)).cost_usd == pytest.approx(0.02)
    assert found.price(USAGE).cost_usd is None
    assert found.price(USAGE).price_id.startswith("unknown: ")


def test_prices_a_usage_cannot_tell_apart_are_unknown(monkeypatch):
    """A price for a kind of token that a usage does not tell apart makes the whole unknown, not wrong."""
    from decimal import Decimal

    odd = ModelPrice(input_mtok=Decimal(1), output_mtok=Decimal(1), input_text_mtok=Decimal(9))
    monkeypatch.setattr(listed, "find", lambda *args, **kwargs: _entry(odd))
    found = _compiled.__wrapped__("x", None, "odd", AT, ())
    assert isinstance(found, Rates)
    assert "is priced by input_text_mtok" in found.price(USAGE).price_id


def _entry(prices):
    owner = PROVIDERS["openai"]
    info = type(owner.models[0])(id="odd", match=owner.models[0].match, prices=prices)
    return owner, info
