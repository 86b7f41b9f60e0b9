"""What forms are made of."""

from __future__ import annotations

import pytest

from labkit.errors import DefinitionError
from labkit.widgets import forms
from labkit.widgets.forms import Status


def test_a_failing_callback_is_said() -> None:
    """What a callback raises stands in the status line as an alert; labkit's own words as they are."""
    status = Status()

    def broken(error: Exception) -> None:
        raise error

    status.guarded(lambda _: broken(KeyError("x")))(None)
    assert "role='alert'" in status.widget.value
    assert "KeyError" in status.widget.value
    status.guarded(lambda _: broken(DefinitionError("write it so")))(None)
    assert "write it so" in status.widget.value
    assert "DefinitionError" not in status.widget.value


def test_interrupts_are_not_swallowed() -> None:
    """A callback that is interrupted stays interrupted."""
    with pytest.raises(KeyboardInterrupt):
        Status().guarded(lambda _: (_ for _ in ()).throw(KeyboardInterrupt()))(None)


def test_everything_said_is_text(hostile: tuple[str, ...]) -> None:
    """Words, headings, code and table heads are escaped, and nothing in them hides."""
    status = Status()
    for words in hostile:
        status.say(words)
        said = status.widget.value + forms.heading(words).value + forms.code(words) + forms.table([words], [])
        assert not any(tag in said for tag in ("<img", "<script", "<svg", "<iframe", "<a "))
        assert "\u202e" not in forms.text(words) + status.widget.value


def test_each_button_has_its_own_layout() -> None:
    """Hiding one button hides no other."""
    one, other = forms.button("a", print), forms.button("b", print)
    one.layout.display = "none"
    assert other.layout.display is None


def test_nothing_is_fetched() -> None:
    """The style sheet names no address and imports nothing."""
    sheet = forms.STYLE.read_text()
    assert "http" not in sheet
    assert "@import" not in sheet
    assert "url(" not in sheet
