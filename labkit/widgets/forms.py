"""What labkit's forms are made of: a status line, guarded callbacks, pages, headings, code, tables as text.

Plain ipywidgets and one style sheet. Everything shown is escaped here or set as text by ipywidgets; a
callback that fails says so in the status line, since nothing else would show it. No form's logic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets

from labkit.errors import LabkitError
from labkit.visible import cut, shown, visible
from labkit.widgets.fallback import ALIVE

# Not Layout values: those would be shared, and hiding one button would hide them all.
WIDE = {"width": "auto"}
REST = {"width": "auto", "flex": "1 1 auto", "min_width": "0"}
SNUG = {"width": "max-content", "flex": "0 0 auto"}
WRAPPED = {"width": "auto", "flex_flow": "row wrap"}
STYLE = Path(__file__).parent / "static" / "forms.css"
# On each cell, since a notebook that is not trusted keeps no style sheet and aligns cells to the right.
_LEFT = "style='text-align:left;vertical-align:top'"


class Status:
    """One line that says how things are, or what went wrong, to eyes and screen readers."""

    def __init__(self) -> None:
        self.widget = ipywidgets.HTML(layout=REST)

    def say(self, words: str) -> None:
        """How things are."""
        self.widget.value = f"<span role='status' class='lk-soft'>{text(words, limit=2000)}</span>"

    def warn(self, words: str) -> None:
        """What went wrong."""
        self.widget.value = f"<span role='alert' class='lk-bad'>{text(words, limit=4000)}</span>"

    def fail(self, error: BaseException) -> None:
        """What labkit raised is made to be read; of anything else the kind is told too."""
        told = str(error) if isinstance(error, LabkitError) else f"{type(error).__name__}: {error}"
        self.warn(told)

    def guarded(self, call: Callable[[Any], None]) -> Callable[[Any], None]:
        """`call` as a callback whose failure is shown here."""

        def guarded(event: Any) -> None:
            try:
                call(event)
            except Exception as error:  # noqa: BLE001 - a callback's exception is shown nowhere else
                self.fail(error)

        return guarded


class Pager:
    """Two buttons that turn the pages of what `draw` draws; at a single page there are none."""

    def __init__(self, status: Status, draw: Callable[[], None]) -> None:
        self.page = 0
        self._draw = draw
        self.widget = ipywidgets.HBox(
            [
                button("Previous", status.guarded(lambda _: self._turn(-1)), tip="previous page"),
                button("Next", status.guarded(lambda _: self._turn(1)), tip="next page"),
            ]
        )

    def within(self, pages: int) -> int:
        """The page to draw of so many."""
        self.widget.layout.display = "" if pages > 1 else "none"
        self.page = min(self.page, max(0, pages - 1))
        return self.page

    def _turn(self, step: int) -> None:
        self.page = max(0, self.page + step)
        self._draw()


def styled(html: str) -> str:
    """`html`, made of what is made here, for where no widget brings the style sheet."""
    return f"<style>{_style()}</style><div class='labkit'>{html}</div>"


def _style() -> str:
    return STYLE.read_text(encoding="utf-8")


def framed(children: Iterable[ipywidgets.Widget]) -> ipywidgets.VBox:
    """A column of widgets that brings the style sheet with it."""
    style = ipywidgets.HTML(f"<style>{_style()}</style>")
    style.layout.display = "none"
    made = ipywidgets.VBox([style, *children], layout=ipywidgets.Layout(width="100%"))
    made.add_class("labkit")
    made.add_class(ALIVE)
    return made


def plain(words: object, *, limit: int = 200) -> str:
    """Anything as one line in which every character can be seen, for what ipywidgets sets as text."""
    return visible(words, limit=limit)


def text(words: object, *, limit: int = 200) -> str:
    """Anything as escaped text in which every character can be seen."""
    return escape(shown(cut(str(words), limit=limit)))


def heading(words: str) -> ipywidgets.HTML:
    """The name of a part of a form."""
    return ipywidgets.HTML(f"<div class='lk-h' role='heading' aria-level='4'>{text(words)}</div>")


def code(source: str) -> str:
    """Python as it is to be copied."""
    return f"<pre class='lk-box lk-code'>{escape(source)}</pre>" if source else ""


def table(heads: Sequence[object], rows: Iterable[Sequence[str]], *, name: str = "") -> str:
    """An HTML table. `heads` are text; `rows` hold cells that are escaped already."""
    head = "".join(f"<th scope='col' {_LEFT}>{text(one, limit=120)}</th>" for one in heads)
    body = "".join("<tr>" + "".join(f"<td {_LEFT}>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f"<div class='lk-scroll {name}'><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def button(words: str, act: Callable[[Any], None], *, tip: str = "", kind: str = "") -> ipywidgets.Button:
    """A button whose name is what it says."""
    made = ipywidgets.Button(description=words, tooltip=tip or words, button_style=kind, layout=SNUG)
    made.on_click(act)
    return made
