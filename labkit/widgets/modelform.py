"""How a `ModelSelector` is drawn: a list with filters, a button to pull local weights, fields for params.

It holds no choice of its own: the selector does.
"""

from __future__ import annotations

from typing import Any

import ipywidgets

from labkit.catalog.per_step import PerStep
from labkit.visible import visible
from labkit.widgets import forms, pulling
from labkit.widgets.forms import WIDE, WRAPPED, Status, button, framed
from labkit.widgets.listbox import Listbox
from labkit.widgets.models import CAPABILITIES, EFFORTS, FACTS, ModelSelector
from labkit.widgets.selector import Choice

NARROW = {"width": "12em"}
SHORT = {"description_width": "initial"}
_NUMBERS: dict[str, type] = {"temperature": float, "max_tokens": int, "seed": int}


class ModelForm:
    """Draws one selector; `widget` is the whole of it."""

    def __init__(self, selector: ModelSelector) -> None:
        self._selector = selector
        self._status = Status()
        self._pulls: dict[str, ipywidgets.Button] = {}
        self._fields: dict[str, ipywidgets.Widget] = {}
        self._ticks: dict[PerStep, ipywidgets.Checkbox] = {}
        providers = sorted(
            {tag[9:] for c in selector.choices for tag in c.tags if tag.startswith("provider:")}
        )
        self._list = Listbox(
            selector,
            noun="models",
            heads=("model", *FACTS),
            widths="minmax(72px, 1fr) minmax(96px, 1.3fr) minmax(96px, 1.4fr)",
            status=self._status,
            filters={
                "Provider": {visible(one): f"provider:{one}" for one in providers},
                "Can": {one: f"can:{one}" for one in CAPABILITIES},
                "Ready": {"key or weights found": "ready"},
            },
            extra=self._extra,
            extra_width="4.5em",
        )
        self._params = ipywidgets.VBox(layout=WIDE)
        self._accordion = ipywidgets.Accordion(
            [self._params], titles=["Params of the chosen models"], selected_index=None, layout=WIDE
        )
        self._per_step = ipywidgets.VBox(layout=WIDE)
        self._code = ipywidgets.HTML(layout=WIDE)
        self._show = button(
            "Show code",
            self._status.guarded(lambda _: self._show_code()),
            tip="the Python that makes this choice",
        )
        self.widget = framed(
            [
                self._list.widget,
                self._per_step,
                self._accordion,
                ipywidgets.HBox([self._show, self._status.widget]),
                self._code,
            ]
        )
        selector.on_change(self._refresh)
        self._refresh()

    def embed(self) -> None:
        """Leave out what a larger form has itself."""
        self._show.layout.display = "none"
        self._list.shorten(6)

    def _refresh(self) -> None:
        if self._code.value:
            self._code.value = forms.code(self._selector.code)
        self._per_step.children = [self._tick(given) for given in self._selector.per_step]
        none = ipywidgets.HTML("<span class='lk-soft'>Choose a model first.</span>")
        self._params.children = [self._fields_of(id) for id in self._selector.chosen] or [none]

    def _tick(self, given: PerStep) -> ipywidgets.Checkbox:
        if given not in self._ticks:
            words = visible(repr(given), limit=300)
            box = self._ticks[given] = ipywidgets.Checkbox(
                description=words, tooltip=words, indent=False, layout=WIDE
            )
            box.observe(
                self._status.guarded(lambda change: self._selector.use_per_step(given, change["new"])),
                "value",
            )
        self._ticks[given].value = self._selector.uses(given)
        return self._ticks[given]

    def _show_code(self) -> None:
        self._code.value = "" if self._code.value else forms.code(self._selector.code)

    # -- params ----------------------------------------------------------------------------------

    def _fields_of(self, id: str) -> ipywidgets.Widget:
        if id not in self._fields:
            named = ipywidgets.HTML(
                f"<b>{forms.text(id, limit=60)}</b>", layout=ipywidgets.Layout(width="18em")
            )
            boxes = [self._number(id, name) for name in _NUMBERS]
            reasons = "can:reasoning" in self._selector._choices[id].tags
            extra = [self._effort(id)] if reasons else []
            self._fields[id] = ipywidgets.HBox([named, *boxes, *extra], layout=WRAPPED)
        return self._fields[id]

    def _number(self, id: str, name: str) -> ipywidgets.Text:
        given = self._selector.params(id).get(name)
        box = ipywidgets.Text(
            value="" if given is None else str(given),
            description=name.replace("_", " "),
            placeholder="default",
            continuous_update=False,
            tooltip=f"{name} of {visible(id)}",
            layout=NARROW,
            style=SHORT,
        )

        def read(change: Any) -> None:
            words = change["new"].strip()
            try:
                value = _NUMBERS[name](words) if words else None
            except ValueError:
                raise ValueError(f"{name} of {id} is {words!r:.40}; write a number, or nothing") from None
            self._selector.set_params(id, **{name: value})
            self._status.say(f"{name} of {id}: {'default' if value is None else value}")

        box.observe(self._status.guarded(read), "value")
        return box

    def _effort(self, id: str) -> ipywidgets.Dropdown:
        box = ipywidgets.Dropdown(
            options=[("default", ""), *((effort, effort) for effort in EFFORTS)],
            value=self._selector.params(id).get("reasoning_effort", ""),
            description="effort",
            tooltip=f"reasoning effort of {visible(id)}",
            layout=NARROW,
            style=SHORT,
        )
        box.observe(
            self._status.guarded(
                lambda change: self._selector.set_params(id, reasoning_effort=change["new"])
            ),
            "value",
        )
        return box

    # -- weights ---------------------------------------------------------------------------------

    def _extra(self, choice: Choice) -> list[ipywidgets.Widget]:
        name = choice.value.partition("/")[2]
        if "local" not in choice.tags or "ready" in choice.tags or not pulling.can_pull(name):
            return []
        if choice.value not in self._pulls:
            self._pulls[choice.value] = button(
                "Pull",
                self._status.guarded(lambda _: self._pull(choice.value, name)),
                tip=f"fetch the weights of {name}",
            )
        return [self._pulls[choice.value]]

    def _pull(self, id: str, name: str) -> None:
        pressed = self._pulls[id]
        pressed.disabled = True

        def done() -> None:
            self._selector.renew(id)
            self._status.say(f"{id}: weights are here")

        def fail(error: BaseException) -> None:
            pressed.disabled = False
            self._status.fail(error)

        self._status.say(f"{name}: fetching")
        pulling.pull(name, say=lambda words: self._status.say(f"{name}: {words}"), done=done, fail=fail)
