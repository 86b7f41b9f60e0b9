"""labkit.scoring.recipe: built-in scorers are made again from what is written down of them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

import labkit as lk
from labkit import scoring
from labkit.records import Generation, Sample
from labkit.scoring.recipe import kept, made_again

NOW = datetime(2026, 11, 28, tzinfo=UTC)


# Made by the test that takes it: what json_schema needs takes seconds to import, for whoever only collects.
BUILT_IN: dict[str, Callable[[], lk.Scorer]] = {
    "exact": lambda: scoring.exact("label", ignore_case=True),
    "contains": lambda: scoring.contains("label", parts=True),
    "regex": lambda: scoring.regex("[0-9]+"),
    "numeric": lambda: scoring.numeric(0.5, target="label"),
    "normalised": lambda: scoring.normalised("label"),
    "token_f1": lambda: scoring.token_f1("label"),
    "rouge_l": lambda: scoring.rouge_l("label"),
    "json_schema": lambda: scoring.json_schema({"type": "object"}),
    "json_field": lambda: scoring.json_field("label"),
    "length": lambda: scoring.length("characters", name="long"),
    "refusal": lambda: scoring.refusal(),
}


@pytest.mark.parametrize("make", BUILT_IN.values(), ids=BUILT_IN)
def test_a_built_in_is_made_again(make: Callable[[], lk.Scorer]) -> None:
    """From JSON: the same name, columns and bounds, and the same value of an answer."""
    scorer = make()
    again = made_again(json.loads(json.dumps(kept(scorer))))
    assert again is not None
    assert (again.name, again.columns, again.scale) == (scorer.name, scorer.columns, scorer.scale)
    told = dict.fromkeys(Generation.__struct_fields__[:10], "")
    answer = Generation(**told, status="done", text="about 42 Cats", stop_reason="stop", request_id="")
    sample = Sample(id="1", fields={"label": "42 cats"})

    def value(of: lk.Scorer) -> Any:
        return scoring.score([of], generation=answer, sample=sample, at=NOW)[0]

    assert value(again) == value(scorer)


@pytest.mark.parametrize(
    "told",
    [
        {"name": "own"},
        {"name": "x", "make": "gone", "given": {}},
        kept(scoring.exact()) | {"given": {"a": 1}},
        {"name": "exact", "make": "exact"},
        {"name": "exact", "make": "exact", "given": ["target"]},
        {"name": "exact", "make": ["exact"], "given": {}},
        {"name": "a", "make": "json_field", "given": {"path": "a", "unreadable": "x"}},
        {"name": "regex", "make": "regex", "given": {"pattern": "(?:a" * 5000}},
        {"name": "regex", "make": "regex", "given": {"pattern": "a{99999999999999999999}"}},
        {"name": 5, "make": "exact", "given": {"name": 5}},
        {"name": "", "make": "exact", "given": {"name": ""}},
        {"name": "other", "make": "exact", "given": {}},
        {"make": "exact", "given": {}},
    ],
    ids=lambda told: str(told)[:60],
)
def test_what_is_not_known_is_none(told: dict[str, Any]) -> None:
    """An own function, a built-in that is no more, arguments that it does not take, another name; and rows of
    a lab that labkit did not write."""
    assert made_again(told) is None


def test_of_an_own_function_only_the_name_is_kept() -> None:
    """Nothing else of it can be written down."""
    assert kept(lk.Scorer("own", lambda generation, sample: 1)) == {"name": "own"}


def test_a_recipe_is_what_was_given_when_it_was_made() -> None:
    """What becomes of the caller's schema later is not in it, so that it can always be written down."""
    schema: dict[str, Any] = {"type": "integer"}
    scorer = scoring.json_schema(schema)
    schema["x"] = object()
    assert kept(scorer) == {
        "name": "json_schema",
        "make": "json_schema",
        "given": {"schema": {"type": "integer"}},
    }


def test_a_recipe_is_of_plain_values() -> None:
    """A string of one's own class is kept as text."""

    class Column(str):
        __slots__ = ()

    told = kept(scoring.contains(Column("target")))
    assert told["given"] == {"target": "target"}
    assert type(told["given"]["target"]) is str


@pytest.mark.parametrize(
    "scorer",
    [
        scoring.json_schema({"type": "integer", "maximum": math.inf}),
        scoring.json_schema({"default": math.nan}),
        scoring.json_schema({"title": "\ud800"}),
        scoring.regex("\ud800"),
    ],
)
def test_of_what_cannot_be_written_as_it_is_only_the_name_is_kept(scorer: lk.Scorer) -> None:
    """Else another scorer would be made again: JSON has no infinity, and UTF-8 no half of a character."""
    assert kept(scorer) == {"name": scorer.name}
