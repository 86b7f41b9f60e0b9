"""labkit.scoring.recipe: built-in scorers are made again from what is written down of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

import labkit as lk
from labkit import scoring
from labkit.records import Generation, Sample
from labkit.scoring.recipe import kept, made_again

NOW = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    "scorer",
    [
        scoring.exact("label", ignore_case=True),
        scoring.contains("label", parts=True),
        scoring.regex("[0-9]+"),
        scoring.numeric(0.5, target="label"),
        scoring.normalised("label"),
        scoring.token_f1("label"),
        scoring.rouge_l("label"),
        scoring.json_schema({"type": "object"}),
        scoring.json_field("label"),
        scoring.length("characters", name="long"),
        scoring.refusal(),
    ],
    ids=lambda scorer: scorer.name,
)
def test_a_built_in_is_made_again(scorer: lk.Scorer) -> None:
    """From JSON: the same name, columns and bounds, and the same value of an answer."""
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
    ],
)
def test_what_is_not_known_is_none(told: dict[str, Any]) -> None:
    """An own function, a built-in that is no more, arguments that it does not take."""
    assert made_again(told) is None


def test_of_an_own_function_only_the_name_is_kept() -> None:
    """Nothing else of it can be written down."""
    assert kept(lk.Scorer("own", lambda generation, sample: 1)) == {"name": "own"}
