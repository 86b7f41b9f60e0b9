"""labkit.summary.repricing, and `lab.reprice`: what answers would have cost under other prices."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from random import Random
from typing import Any

import pandas as pd
import pytest

import labkit as lk
from labkit import served
from labkit.catalog.model import Model
from labkit.catalog.prices import pricer
from labkit.errors import DefinitionError
from labkit.records import Generation, Request, Usage

AT = datetime(2026, 11, 1, tzinfo=UTC)
NUMBER = itertools.count()
COLUMNS = [
    "n", "input_tokens", "output_tokens", "cost_usd", "cost_unknown", "repriced_usd", "repriced_unknown",
    "ratio", "price_id", "repriced_price_id",
]  # fmt: skip


def row(model: str = "openai/gpt-4o", **given: Any) -> Generation:
    """A finished answer of 1,000 tokens in and 100 out, that cost one cent."""
    number = next(NUMBER)
    values: dict[str, Any] = {
        "generation_id": f"g{number}",
        "run_id": "r1",
        "experiment": "e",
        "workspace": "w",
        "prompt": "p",
        "prompt_version": 1,
        "model": model,
        "provider": model.partition("/")[0],
        "sample_id": f"s{number}",
        "repeat": 0,
        "status": "done",
        "started_at": AT,
        "attempts": 1,
        "input_tokens": 1000,
        "output_tokens": 100,
        "cost_usd": 0.01,
        "price_id": "as it was",
        "request_id": f"q{number}",
    }
    return Generation(**values | given)


def request(of: Generation, **params: Any) -> Request:
    """What a row's answer was asked with."""
    return Request(
        request_id=of.request_id,
        provider=of.provider,
        dialect="openai",
        endpoint="https://api.openai.com/v1",
        model=of.model,
        name=of.model.partition("/")[2],
        messages=(),
        params=params,
    )


def keep(lab: lk.Lab, rows: Sequence[Generation], requests: Sequence[Request] = ()) -> None:
    """Put rows into the lab as a run does."""
    writer = lab.store.writer()
    for one in requests:
        writer.put(one)
    for one in rows:
        writer.generation(one, lambda: None)
    writer.flush()


def test_an_empty_lab_has_no_rows(lab: lk.Lab) -> None:
    """Without answers the frame has its columns and no row, however it is added up."""
    for by in (("run_id", "prompt", "model"), "model", []):
        frame = lab.reprice(by=by)
        assert frame.empty
        assert list(frame.columns)[-len(COLUMNS) :] == COLUMNS


def test_one_row_per_run_prompt_and_model(lab: lk.Lab) -> None:
    """By default there is a row per run, prompt and model, with the documented columns and dtypes."""
    keep(lab, [row(), row(), row(prompt="q"), row(run_id="r2"), row("anthropic/claude-haiku-4-5")])
    frame = lab.reprice(at=AT)
    assert list(frame.columns) == ["run_id", "prompt", "model", *COLUMNS]
    assert frame[["run_id", "prompt", "n"]].to_numpy().tolist() == [
        ["r1", "p", 1], ["r1", "p", 2], ["r1", "q", 1], ["r2", "p", 1],
    ]  # fmt: skip
    assert frame["n"].dtype == frame["cost_unknown"].dtype == frame["repriced_unknown"].dtype == "int64"
    assert frame["input_tokens"].dtype == frame["output_tokens"].dtype == "Int64"
    assert {str(frame[name].dtype) for name in ("cost_usd", "repriced_usd", "ratio")} == {"float64"}
    assert frame["repriced_usd"].sum() == pytest.approx(4 * 0.0035 + 0.0015)
    assert frame["repriced_price_id"].str.startswith("genai-prices ").all()
    assert set(frame["price_id"]) == {"as it was"}


def payload(chance: Random, written: int) -> str | None:
    """What a provider may have sent last: how it served the answer, or nothing of it."""
    told: dict[str, Any] = {"service_tier": chance.choice([None, "default", "flex", "priority", "scale"])}
    usage: dict[str, Any] = {"speed": chance.choice([None, "standard", "fast"])}
    usage["server_tool_use"] = chance.choice([None, {"web_search_requests": chance.randrange(3)}])
    hour = chance.choice([None, 0, written, str(written // 2), written + 1, "many", True])
    usage["cache_creation"] = {"ephemeral_1h_input_tokens": hour}
    if chance.random() < 0.2:
        told["output"] = [{"type": chance.choice(["file_search_call", "code_interpreter_call", "message"])}]
    return chance.choice([None, "no JSON", json.dumps(told), json.dumps({**told, "usage": usage})])


def test_each_row_costs_what_its_pricer_says(lab: lk.Lab) -> None:
    """Row by row the SQL gives the very cost and price id of `Pricer.price`: tiers, caches, and what the
    answer says of how it was served."""
    chance = Random(7)
    names = ["openai/gpt-4o", "openai/gpt-6-luna", "anthropic/claude-haiku-5-5", "openai/none-such"]
    rows, requests, expected = [], [], {}
    for number in range(400):
        model = names[number % len(names)]
        entered = chance.choice([None, 0, 1, 100_000, 100_001, 272_000, 272_001, chance.randrange(400_000)])
        left = chance.choice([None, 0, chance.randrange(9_000), chance.randrange(9_000)])
        read = None if entered is None else chance.randint(0, entered)
        usage = {
            "input_tokens": entered,
            "output_tokens": left,
            "cache_read_tokens": chance.choice([None, 0, read]),
            "cache_write_tokens": None if entered is None else chance.randint(0, entered - (read or 0)),
            "reasoning_tokens": None if left is None else chance.choice([None, chance.randint(0, left)]),
        }
        tier = chance.choice([None, "priority", "flex"])
        params: dict[str, Any] = {} if tier is None else {"service_tier": tier}
        if chance.random() < 0.1:
            params |= chance.choice([{"web_search_options": {}}, {"tools": [{"type": "web_search_preview"}]}])
        if chance.random() < 0.3:
            params["cache_control"] = {"type": "ephemeral", "ttl": chance.choice(["5m", "1h"])}
        raw = payload(chance, usage["cache_write_tokens"] or 0)
        rows.append(row(model, raw=raw, **usage))
        requests.append(request(rows[-1], **params))
        price = pricer(Model(model), AT, params=params).price(Usage(**usage), served.of(raw))
        expected[rows[-1].generation_id] = price
    keep(lab, rows, requests)
    found = lab.reprice(at=AT, by="generation_id").set_index("generation_id")
    assert len(found) == len(expected)
    for generation, price in expected.items():
        got = found.loc[generation]
        assert got["repriced_price_id"] == price.price_id
        assert got["repriced_unknown"] == (price.cost_usd is None)
        expect = float("nan") if price.cost_usd is None else price.cost_usd
        assert got["repriced_usd"] == pytest.approx(expect, rel=1e-12, nan_ok=True)


def test_a_date_takes_the_prices_of_its_day(lab: lk.Lab) -> None:
    """o3 became cheaper on 10 June 2025: a date, a time and its text give the prices of that day."""
    keep(lab, [row("openai/o3")])
    before = lab.reprice(at="2025-06-09", by="model")
    assert before["repriced_usd"].item() == pytest.approx(0.01 + 100 * 40e-6)
    for at in (date(2025, 6, 10), datetime(2025, 6, 10, 12), pd.Timestamp("2025-06-10"), "2025-06-10T00:00Z"):  # noqa: DTZ001
        after = lab.reprice(at=at, by="model")
        assert after["repriced_usd"].item() == pytest.approx(0.002 + 100 * 8e-6)
        assert after["repriced_price_id"].item().endswith("openai:o3 from 2025-06-10")


def test_given_prices_stand_in_for_the_catalogs(lab: lk.Lab) -> None:
    """Prices for one model change that model's rows; an alias names it; the others are at the date's."""
    keep(lab, [row(), row("openai/o3")])
    frame = lab.reprice(prices={"gpt-4o": {"input": 1, "output": 2}}, at=AT, by="model").set_index("model")
    assert frame.loc["openai/gpt-4o", "repriced_usd"] == pytest.approx(0.0012)
    assert frame.loc["openai/gpt-4o", "ratio"] == pytest.approx(0.12)
    assert frame.loc["openai/gpt-4o", "repriced_price_id"] == "given: prices of openai/gpt-4o"
    assert frame.loc["openai/o3", "repriced_price_id"].startswith("genai-prices")


def test_a_batch_has_its_own_price(lab: lk.Lab) -> None:
    """In Anthropic's batch service everything costs half; where no batch price is listed it is not known."""
    keep(lab, [row("anthropic/claude-haiku-4-5", cache_read_tokens=400), row("openai/gpt-4.5-preview")])
    plain, batch = (lab.reprice(at=AT, by="model", batch=one).set_index("model") for one in (False, True))
    haiku = "anthropic/claude-haiku-4-5"
    assert batch.loc[haiku, "repriced_usd"] == pytest.approx(plain.loc[haiku, "repriced_usd"] / 2)
    assert batch.loc[haiku, "repriced_price_id"].endswith("processing=batch")
    assert pd.isna(batch.loc["openai/gpt-4.5-preview", "repriced_usd"])
    assert "no batch price" in batch.loc["openai/gpt-4.5-preview", "repriced_price_id"]


def test_unknown_is_never_nothing(lab: lk.Lab) -> None:
    """Without a price or usage there is no cost but a count of rows; the ratio is over rows with both."""
    keep(
        lab,
        [
            row("house/x"),
            row("openai/gpt-4o"),
            row("openai/gpt-4o", output_tokens=None, cost_usd=0.5),
            row("openai/gpt-4o", cost_usd=None, price_id="unknown: no price then"),
        ],
    )
    frame = lab.reprice(at=AT, by="model").set_index("model")
    assert pd.isna(frame.loc["house/x", "repriced_usd"])
    assert pd.isna(frame.loc["house/x", "ratio"])
    assert frame.loc["house/x", "repriced_unknown"] == 1
    gpt = frame.loc["openai/gpt-4o"]
    assert (gpt["n"], gpt["cost_unknown"], gpt["repriced_unknown"]) == (3, 1, 1)
    assert gpt["repriced_usd"] == pytest.approx(2 * 0.0035)
    assert gpt["ratio"] == pytest.approx(0.35)
    assert gpt["price_id"] == "as it was; unknown: no price then"
    assert "unknown: output tokens were not reported" in gpt["repriced_price_id"]


def test_what_was_paid_is_what_the_runs_say(lab: lk.Lab) -> None:
    """Replays are not in it, rows that a later one took the place of are: the sum is that of `lab.runs`."""
    twice = row(status="partial", attempts=1, cost_usd=0.25)
    after = row(generation_id=twice.generation_id)
    keep(lab, [twice, after, row(replayed_from="g0"), row(status="stopped", attempts=0, cost_usd=None,
        input_tokens=None, output_tokens=None)])  # fmt: skip
    frame = lab.reprice(at=AT, by="run_id")
    assert frame["n"].item() == 2
    assert frame["cost_usd"].item() == pytest.approx(0.26)


def test_filters_and_grains(lab: lk.Lab) -> None:
    """Rows are chosen as in `lab.generations`, and added up by any of the named columns, or all together."""
    keep(
        lab,
        [
            row(),
            row(run_id="r2", prompt="q"),
            row(workspace="other", started_at=datetime(2026, 1, 1, tzinfo=UTC)),
        ],
    )
    assert lab.reprice(by="model", run="r2")["n"].item() == 1
    assert lab.reprice(by="model", workspace="w", since="2026-06-01")["n"].item() == 2
    assert lab.reprice(by="model", until="2026-06-01")["n"].item() == 1
    assert lab.reprice(by=["workspace", "prompt"])["n"].tolist() == [1, 1, 1]
    assert lab.reprice(by=[])["n"].tolist() == [3]
    assert lab.reprice(by="model", run="'; drop table log.generations; --").empty


def test_everything_wrong_is_named_at_once(lab: lk.Lab) -> None:
    """A time, a column and prices that make no sense are refused together, before anything is read."""
    with pytest.raises(DefinitionError) as raised:
        lab.reprice(at="next week", by=["text", "model"], prices={"openai/gpt-4o": {"in": 1}})
    told = str(raised.value)
    assert "next week" in told
    assert "'text'" in told
    assert "'in'" in told
    assert "lacks input and output" in told


def test_prices_for_nobody_are_refused(lab: lk.Lab) -> None:
    """Prices for a model that answered nothing here are refused: it is named, with those there are."""
    keep(lab, [row()])
    with pytest.raises(DefinitionError, match=r"openai/gpt-4x.*openai/gpt-4o"):
        lab.reprice(prices={"openai/gpt-4x": {"input": 1, "output": 1}})


def test_the_rows_stay_as_they_are(lab: lk.Lab) -> None:
    """After repricing, the lab's rows have the cost and price id they had."""
    keep(lab, [row(), row("openai/o3")])
    before = lab.generations()
    lab.reprice(at="2025-01-01")
    pd.testing.assert_frame_equal(before, lab.generations())


def test_given_prices_have_no_dates(lab: lk.Lab, echo: Any) -> None:
    """A model that was run with prices of its own is priced by them at any date, as it was paid."""
    model = echo(version="1").replace(prices={"input": 10, "output": 20})
    lab.plan(prompts=["Say {{ n }}"], models=[model], dataset=[{"n": "one"}, {"n": "two"}]).run()
    frame = lab.reprice(at="2024-01-01", by="model")
    assert frame["ratio"].item() == pytest.approx(1.0)
    assert frame["repriced_price_id"].item() == "given: prices of scripted/echo"


def test_local_answers_stay_free(lab: lk.Lab, echo: Any) -> None:
    """What costs nothing by declaration costs nothing at any date, and has no ratio."""
    lab.plan(prompts=["Say {{ n }}"], models=[echo()], dataset=[{"n": "one"}]).run()
    frame = lab.reprice(at="2024-01-01", by="model")
    assert frame["repriced_usd"].item() == 0.0
    assert pd.isna(frame["ratio"].item())


def test_a_hundred_thousand_rows_take_one_query(lab: lk.Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows there are, the lab is read three times and each price is looked up once."""
    keep(lab, [row() for _ in range(300)])
    calls: list[str] = []
    table = type(lab.store).table

    def counting(self: Any, sql: str, params: Any = None) -> Any:
        calls.append(sql)
        return table(self, sql, params)

    monkeypatch.setattr(type(lab.store), "table", counting)
    assert lab.reprice(at=AT, by="sample_id")["n"].sum() == 300
    assert len(calls) == 3
