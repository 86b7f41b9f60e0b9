"""labkit.catalog.table: the catalog as a frame and as HTML."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser

import pandas as pd
import pytest

from labkit.catalog import Catalog, Model

AT = datetime(2026, 11, 1, tzinfo=UTC)
DTYPES = {
    "id": "str",
    "label": "str",
    "provider": "str",
    "context_window": "Int64",
    "max_output": "Int64",
    "streaming": "boolean",
    "vision": "boolean",
    "tools": "boolean",
    "json": "boolean",
    "reasoning": "boolean",
    "input_usd_mtok": "float64",
    "output_usd_mtok": "float64",
    "cache_read_usd_mtok": "float64",
    "cache_write_usd_mtok": "float64",
    "prices_from": "datetime64[s]",
    "price_id": "str",
    "retired": "datetime64[s]",
    "retires": "datetime64[s]",
    "key": "str",
    "aliases": "str",
}


@pytest.fixture
def frame():
    return Catalog(keys=lambda model: "not needed" if model.provider == "local" else "missing").frame(at=AT)


def test_columns_and_dtypes_are_as_documented(frame):
    """The frame has the documented columns in their order, with their dtypes, also when it is empty."""
    assert frame.dtypes.astype(str).to_dict() == DTYPES
    assert Catalog([]).frame(at=AT).dtypes.astype(str).to_dict() == DTYPES


def test_keys_are_looked_up_once_per_endpoint():
    """The models of one provider have one key, so it is looked for once."""
    asked = []
    Catalog(keys=lambda model: asked.append(model.provider) or "found").frame(at=AT)
    assert sorted(asked) == ["anthropic", "local", "openai"]


def test_what_is_not_known_is_na():
    """Limits, capabilities and prices nobody stated are NA, not 0 and not False."""
    row = Catalog([Model("vllm/x", base_url="http://127.0.0.1:1/v1")]).frame(at=AT).iloc[0]
    for column in (
        "context_window",
        "max_output",
        "vision",
        "input_usd_mtok",
        "prices_from",
        "retired",
        "key",
    ):
        assert pd.isna(row[column]), column
    assert row["price_id"].startswith("unknown: ")
    assert row["label"] == "x"


def test_what_is_known_is_there(frame):
    """Prices, limits, capabilities and keys of a listed model stand in its row."""
    row = frame.set_index("id").loc["openai/gpt-4o"]
    assert (row["input_usd_mtok"], row["output_usd_mtok"], row["cache_read_usd_mtok"]) == (2.5, 10.0, 1.25)
    assert (row["context_window"], row["max_output"], row["vision"], row["reasoning"]) == (
        128_000,
        16_384,
        True,
        False,
    )
    assert (row["key"], row["aliases"], row["label"]) == ("missing", "gpt-4o", "GPT-4o")
    local = frame.set_index("id").loc["local/smollm2-135m"]
    assert (local["input_usd_mtok"], local["output_usd_mtok"], local["key"]) == (0.0, 0.0, "not needed")


def test_the_retired_are_marked_as_of_the_date(frame):
    """A model is retired from its day on; before that the day is an announcement."""
    rows = frame.set_index("id")
    assert rows.loc["openai/gpt-4-turbo", "retired"] == pd.Timestamp("2026-10-23")
    assert pd.isna(rows.loc["openai/gpt-4o", "retired"])
    assert rows.loc["openai/gpt-4o", "retires"] == pd.Timestamp("2027-01-14")
    later = Catalog().frame(at=datetime(2027, 2, 1, tzinfo=UTC)).set_index("id")
    assert later.loc["openai/gpt-4o", "retired"] == pd.Timestamp("2027-01-14")


def test_dated_prices_say_since_when():
    """Where the data dates a price, the frame says since when it holds."""
    rows = Catalog([Model("openai/o3")]).frame(at=AT)
    assert rows.loc[0, "prices_from"] == pd.Timestamp("2025-06-10")


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen = set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        assert all(name == "style" for name, _ in attrs)


def test_hostile_labels_are_text_in_html():
    """S7: a label with markup is shown as text; the table has table tags only, in the colours around it."""
    catalog = Catalog(
        [Model("vllm/x", base_url="http://127.0.0.1:1/v1", label="<script>alert(1)</script><b>")]
    )
    shown = catalog._repr_html_()
    parser = Tags()
    parser.feed(shown)
    assert parser.seen == {"table", "thead", "tbody", "tr", "th", "td"}
    assert "&lt;script&gt;" in shown
    assert "color:inherit" in shown


def test_html_shows_prices_keys_and_retirement():
    """The table for people has what decides a choice."""
    shown = Catalog(keys=lambda model: "found")._repr_html_()
    for text in ("GPT-4o", "128,000", "found", "retired 2025-10-28", "2.5"):
        assert text in shown
