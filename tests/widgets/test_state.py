"""A state and its form: who listens is told, and a form is made once."""

from __future__ import annotations

from typing import Any

import pytest

from labkit.widgets import forms
from labkit.widgets.state import State


class Drawn:
    """A form that remembers what it draws."""

    def __init__(self, state: Any) -> None:
        self.state = state


class Chosen(State):
    """A state drawn by the form above."""

    _drawn_by = "forms.Drawn"

    def _repr_html_(self) -> str:
        return ""


def test_all_who_listen_are_told() -> None:
    """Each change is told once to each, also to one that came while others were told."""
    state, heard = Chosen(), []
    state.on_change(lambda: heard.append("one"))
    state.on_change(lambda: state.on_change(lambda: heard.append("late")) if not heard[1:] else None)
    state.changed()
    assert heard == ["one"]
    state.changed()
    assert heard == ["one", "one", "late"]


def test_a_form_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The form draws its state, and is the same for all views."""
    monkeypatch.setattr(forms, "Drawn", Drawn, raising=False)
    state = Chosen()
    assert state.form is state.form
    assert state.form.state is state
