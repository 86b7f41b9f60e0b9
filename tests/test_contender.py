"""labkit.contender: what a contender is called whose steps are answered by several models."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from labkit.contender import joined, steps_of

NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
MODELS = st.from_regex(r"[a-z]{1,8}/[A-Za-z0-9._:/@+-]{1,20}", fullmatch=True)


@given(st.dictionaries(NAMES, MODELS, min_size=2, max_size=6))
def test_what_was_joined_is_read_again(steps: dict[str, str]) -> None:
    """Steps and models come back in their order."""
    assert list(steps_of(joined(steps.items())).items()) == list(steps.items())


@given(MODELS)
def test_a_model_is_no_contender_of_steps(model: str) -> None:
    """The id of one model has no steps in it, colons or not."""
    assert steps_of(model) == {}
