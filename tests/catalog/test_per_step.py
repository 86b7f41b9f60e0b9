"""labkit.catalog.per_step: which models answer which step."""

from __future__ import annotations

from typing import Any

import pytest

import labkit as lk
from labkit.errors import DefinitionError


def test_a_step_is_given_one_model_or_several() -> None:
    """A single model stands for a list of it; the value prints as it is written."""
    found = lk.per_step(facts="local/a", reply=["openai/b", lk.Model("openai/c")])
    assert repr(found) == "per_step(facts=['local/a'], reply=['openai/b', 'openai/c'])"
    assert eval(repr(found), {"per_step": lk.per_step}) == lk.per_step(
        facts=["local/a"], reply=["openai/b", "openai/c"]
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "names no step"),
        ({"facts": []}, "gives step 'facts' no model"),
        ({"facts": [3]}, "is an id, an alias or an lk.Model"),
        ({"facts": ["a/b", "a/b"]}, "a model twice"),
    ],
)
def test_what_gives_no_models_is_refused(given: dict[str, Any], told: str) -> None:
    """The message names the step and what to write."""
    with pytest.raises(DefinitionError, match=told):
        lk.per_step(**given)
