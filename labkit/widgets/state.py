"""What somebody chose or typed, apart from how it is drawn: who listens to it, and which form draws it.

A state names its form and knows nothing else of it; a form is imported when its state is first shown, and
knows the state it draws.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib import import_module
from typing import Any, ClassVar

from labkit.widgets.fallback import WithFallback


class State(ABC):
    """The base of the selectors, the history and the workbench."""

    _drawn_by: ClassVar[str]
    """The form's class in `labkit.widgets`, as `modelform.ModelForm`."""

    def __init__(self) -> None:
        self._heard: list[Callable[[], None]] = []
        self._form: Any = None

    def on_change(self, heard: Callable[[], None]) -> None:
        """Call `heard` after each change of the choice."""
        self._heard.append(heard)

    def changed(self) -> None:
        """Tell all who listen."""
        for heard in list(self._heard):
            heard()

    @property
    def form(self) -> Any:
        """The form as an ipywidget; one for all its views."""
        if self._form is None:
            module, name = self._drawn_by.split(".")
            self._form = getattr(import_module(f"labkit.widgets.{module}"), name)(self)
        return self._form

    @abstractmethod
    def _repr_html_(self) -> str: ...

    def _ipython_display_(self) -> None:
        shown = WithFallback(
            {**self.form.widget._repr_mimebundle_(), "text/plain": repr(self)}, self._repr_html_()
        )
        self.on_change(lambda: shown.renew(self._repr_html_()))
