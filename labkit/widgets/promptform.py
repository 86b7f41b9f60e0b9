"""How a `PromptSelector` is drawn: the list, a preview, and a place to write the next version.

It holds no choice and no text of its own: the selector and its draft do. List, preview, editor and blocks
show one draft, and each redraws the others; so they stand together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat
from typing import Any

import ipywidgets

from labkit.catalog.model import Model
from labkit.errors import DefinitionError
from labkit.prompts import Block, Prompt
from labkit.providers import local
from labkit.records import Message
from labkit.visible import visible
from labkit.widgets import forms
from labkit.widgets.draft import Draft, difference
from labkit.widgets.forms import REST, SNUG, WIDE, WRAPPED, Status, button, framed
from labkit.widgets.listbox import Listbox
from labkit.widgets.preview import preview
from labkit.widgets.prompts import FACTS, PromptSelector
from labkit.widgets.selector import Choice

HALF = {"width": "auto", "min_width": "0", "flex": "1 1 20em"}
MARKS = {"+": "lk-add", "-": "lk-del"}


class PromptForm:
    """Draws one selector; `widget` is the whole of it."""

    def __init__(self, selector: PromptSelector) -> None:
        self._selector = selector
        self._status = Status()
        self._row_extras: dict[str, list[ipywidgets.Widget]] = {}
        self._drawing = False
        self._list = Listbox(
            selector,
            noun="prompts",
            heads=("prompt", *FACTS),
            widths="minmax(60px, 1fr) minmax(64px, 1.2fr) minmax(110px, 4fr)",
            status=self._status,
            extra=self._extra,
            extra_width="11em",
        )
        self._name = _typed(ipywidgets.Text, "Name", "named after its first words if left empty")
        self._system = _typed(
            ipywidgets.Textarea, "System", "optional: who the model is, how to answer", rows=2
        )
        self._steps = _typed(
            ipywidgets.Text, "Steps", "only of a chain: facts, reply; each under ## its name"
        )
        self._text = _typed(ipywidgets.Textarea, "Prompt", "Classify in one word: {{ text }}", rows=6)
        self._found = ipywidgets.HTML(layout=WIDE)
        self._values = ipywidgets.VBox(layout=WIDE)
        self._fields: dict[str, _Field] = {}
        self._blocks = ipywidgets.VBox(layout=WIDE)
        self._measures = False
        self._use = ipywidgets.Checkbox(description="Use this prompt as it stands", indent=False, layout=WIDE)
        self._preview = ipywidgets.HTML(layout=WIDE)
        guarded = self._status.guarded
        self._save = button("Save as new version", guarded(lambda _: self._saved()))
        self._code = ipywidgets.HTML(layout=WIDE)
        self._show = button(
            "Show code", guarded(lambda _: self._show_code()), tip="the Python that makes this choice"
        )
        for box in (self._name, self._system, self._steps, self._text):
            box.observe(guarded(lambda _: self._type()), "value")
        self._use.observe(guarded(self._used), "value")
        left = [
            *(self._name, self._system, self._steps, self._text),
            *(self._blocks, ipywidgets.HBox([self._use, self._save])),
        ]
        writing = ipywidgets.HBox(
            [
                ipywidgets.VBox(left, layout=HALF),
                ipywidgets.VBox([self._found, self._values, self._preview], layout=HALF),
            ],
            layout=WRAPPED,
        )
        self._accordion = ipywidgets.Accordion(
            [writing],
            titles=["Write a prompt"],
            layout=WIDE,
            selected_index=0 if selector.uses_draft else None,
        )
        self.widget = framed(
            [
                self._list.widget,
                self._accordion,
                ipywidgets.HBox([self._show, self._status.widget]),
                self._code,
            ]
        )
        selector.on_change(self._refresh)
        self._refresh()

    # -- from the selector -----------------------------------------------------------------------

    def embed(self) -> None:
        """Leave out what a larger form has itself, and let blocks be measured, which it plans."""
        self._show.layout.display = "none"
        self._list.shorten(6)
        self._measures = True
        self._draw_blocks()

    def _refresh(self) -> None:
        self._drawing = True
        try:
            draft = self._selector.draft
            for box, words in (
                (self._name, draft.name),
                (self._system, draft.system),
                (self._steps, draft.steps),
                (self._text, draft.text),
            ):
                if box.value != words:
                    box.value = words
            self._use.value = self._selector.uses_draft
        finally:
            self._drawing = False
        self._draw_blocks()
        self._draw()
        if self._code.value:
            self._code.value = forms.code(self._selector.code)

    def _draw(self) -> None:
        """What follows from the text as it stands: variables, their fields, preview, difference."""
        draft = self._selector.draft
        variables = draft.variables
        names = ", ".join(f"<code>{forms.text(name)}</code>" for name in variables)
        self._found.value = f"<span role='status' class='lk-soft'>{_found(draft, names)}</span>"
        for name in variables:
            if name not in self._fields:
                self._fields[name] = _Field(name, self._status, self._field)
            self._fields[name].draw(draft)
        self._values.children = [self._fields[name].widget for name in variables]
        self._save.disabled = draft.is_empty or bool(draft.faults)
        self._preview.value = "" if draft.is_empty else self._previewed(draft)

    def _previewed(self, draft: Draft) -> str:
        try:
            prompt = draft.prompt()
            messages, sent = draft.messages(), preview(prompt, draft.fields())
        except DefinitionError as error:
            return f"<pre class='lk-box lk-bad'>{forms.text(error, limit=2000)}</pre>"
        told = (
            f"<div class='lk-soft'>What is sent</div><pre class='lk-box'>{forms.text(sent, limit=6000)}</pre>"
        )
        told += "".join(map(self._read_by, self._selector.models, repeat(messages)))
        last = self._selector.last()
        return told if last is None else told + _difference(last, prompt)

    @staticmethod
    def _read_by(model: Model, messages: Sequence[Message]) -> str:
        """What a model with a chat template of ours reads: more than what is sent."""
        try:
            read = local.read_as(model, messages)
        except DefinitionError as error:
            read = str(error)
        if read is None:
            return ""
        params = "".join(f", {name}={value!r}" for name, value in model.params.items())
        head = forms.text(f"What {model.id} reads, by its chat template{params}", limit=300)
        return (
            f"<details><summary class='lk-soft'>{head}</summary>"
            f"<pre class='lk-box'>{forms.text(read, limit=6000)}</pre></details>"
        )

    def _draw_blocks(self) -> None:
        ticked = {block.name for block in self._selector.draft.blocks}
        boxes = []
        for block in self._selector.blocks:
            box = ipywidgets.Checkbox(
                value=block.name in ticked, description=visible(f"Block {block.name}", limit=60), indent=False
            )
            box.tooltip = visible(block.text, limit=300)
            box.observe(self._status.guarded(partial(self._block, block)), "value")
            boxes.append(ipywidgets.HBox([box, self._measure(block)]) if self._measures else box)
        self._blocks.children = boxes

    def _measure(self, block: Block) -> ipywidgets.Widget:
        """The tick that has the prompt asked with the block and without it."""
        box = ipywidgets.Checkbox(
            value=block.name in self._selector.measured,
            description="measure",
            indent=False,
            layout=SNUG,
            tooltip=f"ask with and without {visible(block.name, limit=60)}, to see what it is worth",
        )
        heard = self._status.guarded(lambda change: self._selector.measure(block.name, bool(change["new"])))
        box.observe(heard, "value")
        return box

    # -- to the selector -------------------------------------------------------------------------

    def _type(self) -> None:
        if self._drawing:
            return
        draft = self._selector.draft
        draft.name, draft.system = self._name.value, self._system.value
        draft.steps, draft.text = self._steps.value, self._text.value
        if self._selector.uses_draft and draft.faults:
            self._selector.use_draft(False)
        elif self._selector.uses_draft:
            self._selector.changed()
        else:
            self._draw()

    def _used(self, change: Any) -> None:
        if self._drawing:
            return
        try:
            self._selector.use_draft(bool(change["new"]))
        except DefinitionError:
            self._refresh()
            raise

    def _block(self, block: Block, change: Any) -> None:
        on = bool(change["new"])
        draft = self._selector.draft
        kept = [one for one in draft.blocks if one.name != block.name]
        draft.blocks = (*kept, block) if on else tuple(kept)
        self._selector.changed() if self._selector.uses_draft else self._draw()

    def _field(self, name: str, value: str, is_default: bool) -> None:
        draft = self._selector.draft
        draft.values[name] = value
        draft.defaults.pop(name, None)
        if is_default:
            draft.defaults[name] = value
        self._selector.changed() if self._selector.uses_draft else self._draw()

    def _saved(self) -> None:
        saved = self._selector.save()
        self._row_extras.clear()
        self._list.refresh()
        self._status.say(f"saved as {saved.name}@{saved.version}")

    def _show_code(self) -> None:
        self._code.value = "" if self._code.value else forms.code(self._selector.code)

    # -- rows ------------------------------------------------------------------------------------

    def _extra(self, choice: Choice) -> list[ipywidgets.Widget]:
        name = choice.value
        if name not in self._row_extras:
            edit = button(
                "Edit", self._status.guarded(lambda _: self._edit(name)), tip=f"begin a new version of {name}"
            )
            versions = self._selector.versions(name)
            self._row_extras[name] = [*([self._version(name)] if len(versions) > 1 else []), edit]
        return self._row_extras[name]

    def _version(self, name: str) -> ipywidgets.Dropdown:
        prompt = next(prompt for prompt in self._selector._library if prompt.name == name)
        first = "file" if prompt.version is None else "latest"
        box = ipywidgets.Dropdown(
            options=[
                (first, 0),
                *((f"@{number}", number) for number in self._selector.versions(name)[::-1]),
            ],
            value=self._selector.version(name) or 0,
            layout=ipywidgets.Layout(width="7em"),
            tooltip=f"version of {visible(name)}",
        )
        box.observe(
            self._status.guarded(lambda change: self._selector.pick(name, change["new"] or None)), "value"
        )
        return box

    def _edit(self, name: str) -> None:
        self._selector.edit(name)
        self._accordion.selected_index = 0
        self._status.say(f"a copy of {name} to change; {name} itself stays as it is until you save")


class _Field:
    """One variable: a value to see the prompt with, and whether that is its default."""

    def __init__(self, name: str, status: Status, heard: Callable[[str, str, bool], None]) -> None:
        self._name = name
        self._drawing = False
        self._box = _typed(ipywidgets.Textarea, visible(name, limit=40), "only for the preview below", rows=2)
        self._default = ipywidgets.Checkbox(
            description="default", indent=False, layout=SNUG, tooltip="asked where a sample has no value"
        )

        def read(_: Any) -> None:
            if not self._drawing:
                heard(name, self._box.value, self._default.value)

        for widget in (self._box, self._default):
            widget.observe(status.guarded(read), "value")
        self._box.layout = REST
        self.widget = ipywidgets.HBox([self._box, self._default], layout=WIDE)

    def draw(self, draft: Draft) -> None:
        """Show what the draft has of it."""
        self._drawing = True
        try:
            self._box.value = str(draft.fields()[self._name])
            self._default.value = self._name in draft.defaults
        finally:
            self._drawing = False


def _typed(kind: Any, name: str, hint: str, **given: Any) -> Any:
    return kind(description=name, placeholder=hint, continuous_update=True, layout=WIDE, **given)


def _found(draft: Draft, names: str) -> str:
    if draft.is_empty:
        return "Type a prompt; {{ variables }} are found as you type."
    if draft.faults:
        return "not a prompt yet"
    return f"variables: {names}" if names else "no variables"


def _difference(last: Prompt, prompt: Prompt) -> str:
    version = "the file" if last.version is None else f"@{last.version}"
    changed = difference(last, prompt)
    if not changed:
        return f"<div class='lk-soft'>the same as {version}</div>"
    lines = "\n".join(
        f"<span class='{MARKS.get(mark, '')}'>{mark} {forms.text(line, limit=1000)}</span>"
        for mark, line in changed
    )
    return f"<div class='lk-soft'>against {version}</div><pre class='lk-box'>{lines}</pre>"
