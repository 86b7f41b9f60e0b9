"""Messages to a widget are answered where the browser sent them."""

from __future__ import annotations

from labkit.widgets.routing import answer_while_busy


def test_the_browsers_choice_holds() -> None:
    """A kernel that would divert messages no longer does for this widget."""

    class Comm:
        def _reply_subshell_for(self, data: object, asked: str | None) -> str | None:
            return None

    class Widget:
        comm = Comm()

    answer_while_busy(Widget)
    assert Widget.comm._reply_subshell_for({}, "subshell-1") == "subshell-1"


def test_other_kernels_are_left_alone() -> None:
    """Where nothing is diverted nothing is changed."""

    class Widget:
        comm = object()

    answer_while_busy(Widget)
    assert not hasattr(Widget.comm, "_reply_subshell_for")
