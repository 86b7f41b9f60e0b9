"""Weights for forms."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from labkit.widgets import pulling


def test_what_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of what was pulled, and of what can be."""
    monkeypatch.setattr(pulling.weights, "pulled", lambda: [SimpleNamespace(name="tiny")])
    assert pulling.weights_here() == {"tiny"}
    assert pulling.can_pull("smollm2-135m")
    assert not pulling.can_pull("gpt-4o")


@pytest.mark.parametrize("error", [None, OSError("disk full")])
def test_the_end_is_told(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> None:
    """Progress is heard, then exactly one of done and fail."""

    def fetch(name: str, *, progress: Callable[[str], None]) -> None:
        progress("half")
        if error is not None:
            raise error

    monkeypatch.setattr(pulling.weights, "pull", fetch)
    heard: list[object] = []
    pulling.pull("tiny", say=heard.append, done=lambda: heard.append("done"), fail=heard.append).join(10)
    assert heard == ["half", error or "done"]
