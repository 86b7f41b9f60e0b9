"""Makes generations and samples to score."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from labkit.records import Generation, Sample


@pytest.fixture
def generation() -> Callable[..., Generation]:
    """A function that gives a done generation with a text."""

    def make(text: str | None = "an answer", **changes: Any) -> Generation:
        fields: dict[str, Any] = {
            "generation_id": "g1",
            "run_id": "r1",
            "experiment": "e",
            "workspace": "w",
            "prompt": "p",
            "prompt_version": 1,
            "model": "openai/gpt-4o",
            "provider": "openai",
            "sample_id": "s1",
            "repeat": 0,
            "status": "done",
            "request_id": "r1:0",
        }
        return Generation(**(fields | {"text": text} | changes))

    return make


@pytest.fixture
def sample() -> Callable[..., Sample]:
    """A function that gives a sample with the given columns."""

    def make(**fields: Any) -> Sample:
        return Sample(id="s1", fields=fields)

    return make
