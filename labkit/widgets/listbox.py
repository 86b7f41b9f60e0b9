"""How a selector is drawn with ipywidgets: a search box, a list, a status line, a button for its code.

It holds no choice of its own: the selector does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets

if TYPE_CHECKING:
    from labkit.widgets.selector import Selector

WIDE = ipywidgets.Layout(width="100%", max_width="60em")


class Listbox:
    """Draws one selector. A callback that fails says so in the status line."""

    def __init__(self, selector: Selector, *, title: str) -> None:
        self._selector = selector
        self._drawing = False
        self._search = ipywidgets.Text(description="Search", placeholder=f"find {title}", layout=WIDE)
        self._list = ipywidgets.SelectMultiple(description=title.capitalize(), rows=8, layout=WIDE)
        self._code = ipywidgets.Button(description="Show code", tooltip="the Python that makes this choice")
        self._status = ipywidgets.HTML()
        self._status.add_class("labkit-status")
        self._search.observe(self._guarded(lambda change: self.refresh()), "value")
        self._list.observe(self._guarded(self._choose), "value")
        self._code.on_click(self._guarded(lambda button: self._say(self._selector.code)))
        self._box = ipywidgets.VBox([self._search, self._list, ipywidgets.HBox([self._code, self._status])])
        self.refresh()

    def bundle(self) -> dict[str, Any]:
        """The MIME bundle of the live view."""
        bundle: dict[str, Any] = self._box._repr_mimebundle_()
        return bundle

    def refresh(self) -> None:
        """Draw the selector's state anew."""
        found = self._selector.found(self._search.value)
        self._drawing = True
        try:
            self._list.options = [(choice.line, choice.value) for choice in found]
            listed = {choice.value for choice in found}
            self._list.value = tuple(value for value in self._selector.value if value in listed)
        finally:
            self._drawing = False
        self._say(repr(self._selector))

    def _choose(self, change: Any) -> None:
        if self._drawing:
            return
        listed = {value for _, value in self._list.options}
        hidden = [value for value in self._selector.value if value not in listed]
        self._selector.value = (*hidden, *self._list.value)

    def _say(self, words: str) -> None:
        import html

        self._status.value = f"<span role='status'>{html.escape(words)}</span>"

    def _guarded(self, call: Any) -> Any:
        def guarded(event: Any) -> None:
            try:
                call(event)
            except Exception as error:  # noqa: BLE001 - a callback's exception is shown nowhere else
                self._say(f"{type(error).__name__}: {error}")

        return guarded
