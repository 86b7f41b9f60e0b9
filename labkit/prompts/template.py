"""A template: text with `{{ variables }}`, compiled once, rendered into many messages.

Jinja2, strict, in the sandbox of `labkit.prompts.sandbox`. A template of text and plain names, which
most are, is rendered without Jinja, to the same characters. Values are put in as they are and never
read as templates. A variable whose name is no word of Jinja's is written `{{ row['user-name'] }}`; `row`
alone is all of them. It does not know prompts, samples or messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import jinja2
from jinja2 import meta, nodes
from jinja2.visitor import NodeTransformer

from labkit.errors import DefinitionError, MissingVariables
from labkit.prompts.sandbox import ENVIRONMENT, METER, MOST_CHARACTERS, Empty, as_text, compiled

ROW = "row"
_COLUMN = "_column"
_IN_BRACES = re.compile(r"\{\{[-+]?\s*([^{}\n]{1,100}?)\s*[-+]?\}\}")
_ELSEWHERE = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
_RENDERING = (
    jinja2.TemplateError,
    TypeError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RecursionError,
    MemoryError,
)
_ADDRESS = re.compile(r" at (0x[0-9a-f]{4,})>", re.IGNORECASE)
"""How Python prints what has no text of its own: another text in each process."""


class Template:
    """A compiled template. `variables` are the names it uses, in the order of their first use.

    >>> Template("Dear {{ name }}, {{ row['the text'] }}", what="prompt 'letter'").variables
    ('name', 'the text')
    """

    def __init__(self, source: str, *, what: str) -> None:
        self.what = what
        self._source = source
        tree, undeclared = _parsed(source, what)
        used = (_variable(node) for node in tree.find_all((nodes.Name, nodes.Filter)))
        self.variables = tuple(dict.fromkeys(name for name in used if name in undeclared - {ROW}))
        self.takes_row = ROW in undeclared
        """Whether it uses the row as a whole, so that any column may be in it."""
        self.constants = frozenset(_constants(tree))
        """What it prints of itself in braces, as text: a column of that name is not meant."""
        self.images = frozenset(_images(tree))
        """What it takes for images: the names of variables, "" for what it makes of them itself."""
        optional = _guarded(tree)
        self.required = tuple(name for name in self.variables if name not in optional)
        self._printed = frozenset(_printed(tree)) - optional
        self._pieces = _pieces(tree)
        self._slots = tuple((i, piece[1]) for i, piece in enumerate(self._pieces or ()) if piece[1])
        self._texts = [piece[0] for piece in self._pieces or ()]
        self._compiled = None if self._pieces is not None else compiled(tree, what)

    @property
    def is_plain(self) -> bool:
        """Whether it is text and `{{ names }}` only, so that rendering cannot fail on given values."""
        return self._compiled is None

    @property
    def has_text(self) -> bool:
        """Whether there are characters in it that are put out whatever the values are."""
        return self.is_plain and any(text.strip() for text in self._texts)

    def missing(self, values: Mapping[str, Any]) -> list[str]:
        """The variables `values` does not have, or has no value for where one is printed."""
        found = []
        for name in self.required:
            if name not in values or (values[name] is None and name in self._printed):
                found.append(name)
        return found

    def render(self, values: Mapping[str, Any]) -> str:
        """The text for `values`. Raises `MissingVariables`, or `DefinitionError` where it cannot be made."""
        if self._compiled is not None:
            return self._rendered(self._compiled, values)
        texts = self._texts.copy()
        try:
            for position, name in self._slots:
                value = values[name]
                texts[position] = value if type(value) is str else self._text(value, name)
        except (KeyError, Empty):
            raise self._lacking(self.missing(values)) from None
        text = "".join(texts)
        if len(text) > MOST_CHARACTERS:
            raise DefinitionError(f"The {self.what} gives more than {MOST_CHARACTERS:,} characters.")
        return text

    def _rendered(self, compiled: jinja2.Template, values: Mapping[str, Any]) -> str:
        names = self.missing(values)
        if names:
            raise self._lacking(names)
        METER.start()
        try:
            given = {ROW: values, **values} if self.takes_row else values
            return self._checked(compiled.render(given), values)
        except Empty as error:
            raise MissingVariables(f"The {self.what} prints {error} that is empty (None) here.") from None
        except _RENDERING as error:
            raise self._failed(error) from None

    def _text(self, value: Any, name: str) -> str:
        METER.start()
        try:
            return self._checked(as_text(value, name), {name: value})
        except _RENDERING as error:
            raise self._failed(error) from None

    def _checked(self, text: str, values: Mapping[str, Any]) -> str:
        """The text, where it does not hold the address of an object: such a request is never known again."""
        found = _ADDRESS.search(text)
        if found is not None and not any(found[1] in own for own in (self._source, *_texts_in(values))):
            raise TypeError(
                "it prints an object, not a text: a function without its (), or a filter such as map whose"
                " results are not put together by join or list"
            )
        return text

    def _lacking(self, names: Sequence[str]) -> MissingVariables:
        return MissingVariables(f"The {self.what} needs {', '.join(names)}, which the sample does not have.")

    def _failed(self, error: Exception) -> DefinitionError:
        reason = str(error) or type(error).__name__
        return DefinitionError(f"The {self.what} cannot be rendered: {reason.rstrip('.'):.300}.")


def _texts_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for pair in value.items():
            yield from _texts_in(pair)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts_in(item)


def text_faults(text: object, *, what: str) -> list[str]:
    """What is wrong with a text that is to be sent: not text, blank, or with half a character in it."""
    if not isinstance(text, str):
        return [f"The {what} is {'missing' if text is None else type(text).__name__}, not text."]
    if not text.strip():
        return [f"The {what} is empty. Write what is to be asked."]
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return [f"The {what} holds half a character (a lone surrogate) at position {error.start:,}."]
    return []


def _parsed(source: str, what: str) -> tuple[nodes.Template, set[str]]:
    """The template's tree, and the names it takes from outside."""
    try:
        tree = ENVIRONMENT.parse(source)
        if any(tree.find(kind) for kind in _ELSEWHERE):
            raise DefinitionError(f"The {what} includes or imports another file; a prompt is one text.")
        if _image_within(tree):
            raise DefinitionError(f"In the {what} `image` is to be the last filter: {{{{ photo | image }}}}.")
        undeclared = meta.find_undeclared_variables(tree)
        if ROW not in undeclared:
            return tree, undeclared
        columns = _Columns()
        tree = columns.visit(tree)
        return tree, meta.find_undeclared_variables(tree) | columns.names
    except jinja2.TemplateSyntaxError as error:
        reason = (error.message or "").rstrip(".")
        raise DefinitionError(
            f"The {what} cannot be read as a template, line {error.lineno}: {reason}. "
            f"{_column_hint(source)}"
            "To write {{ or {% as they are, put {% raw %} before and {% endraw %} after them."
        ) from None
    except (RecursionError, MemoryError):
        raise DefinitionError(f"The {what} is nested too deep to be read.") from None


class _Columns(NodeTransformer):
    """Makes a variable of `row['…']`, which is looked up as any other is."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        if not (isinstance(node.node, nodes.Name) and node.node.name == ROW):
            return node
        if not (isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str)):
            return node
        self.names.add(node.arg.value)
        return nodes.Filter(node.arg, _COLUMN, [], [], None, None, lineno=node.lineno)


def _variable(node: nodes.Node | None) -> str | None:
    """The name of the variable that a node is, if it is one."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Filter) and node.name == _COLUMN and isinstance(node.node, nodes.Const):
        return str(node.node.value)
    return None


def in_row(name: str) -> str:
    """How a variable is written whatever its name is.

    >>> in_row("user-name")
    "{{ row['user-name'] }}"
    """
    return f"{{{{ row[{name!r}] }}}}"


def _column_hint(source: str) -> str:
    """How to write what stands in braces and is no expression, if it is a column's name."""
    odd = next((found for found in _IN_BRACES.findall(source) if not _is_expression(found)), None)
    return "" if odd is None else f"If {odd!r} is a column, write {in_row(odd)}. "


def _is_expression(text: str) -> bool:
    try:
        ENVIRONMENT.parse(f"{{{{ {text} }}}}")
    except (jinja2.TemplateSyntaxError, RecursionError, MemoryError):
        return False
    return True


def _constants(tree: nodes.Template) -> Iterable[str]:
    printed = (node for output in tree.find_all(nodes.Output) for node in output.nodes)
    for node in printed:
        if isinstance(node, nodes.Const):
            yield str(node.value)
            # Jinja has them in small letters too.
            if node.value is None or isinstance(node.value, bool):
                yield str(node.value).lower()


def _images(tree: nodes.Template) -> Iterator[str]:
    outside = meta.find_undeclared_variables(tree)
    for node in tree.find_all(nodes.Filter):
        if node.name == "image":
            name = _variable(node.node)
            yield (
                name if name is not None and (name in outside or isinstance(node.node, nodes.Filter)) else ""
            )


def _image_within(tree: nodes.Template) -> bool:
    """Whether an image is used as if it were text, and not just put out."""
    put_out = {id(node) for output in tree.find_all(nodes.Output) for node in output.nodes}
    return any(node.name == "image" and id(node) not in put_out for node in tree.find_all(nodes.Filter))


def _pieces(tree: nodes.Template) -> list[tuple[str, str]] | None:
    pieces: list[tuple[str, str]] = []
    for output in tree.body:
        if not isinstance(output, nodes.Output):
            return None
        for node in output.nodes:
            if isinstance(node, nodes.TemplateData):
                pieces.append((node.data, ""))
            elif (name := _variable(node)) and name not in ENVIRONMENT.globals and name != ROW:
                pieces.append(("", name))
            else:
                return None
    return pieces


def _guarded(tree: nodes.Template) -> frozenset[str]:
    """Names the template itself is ready to do without: `is defined`, `| default(…)`."""
    tests = (test for test in tree.find_all(nodes.Test) if test.name in ("defined", "undefined"))
    filters = (one for one in tree.find_all(nodes.Filter) if one.name in ("default", "d"))
    return frozenset(name for node in (*tests, *filters) if (name := _variable(node.node)))


def _printed(tree: nodes.Template) -> Iterator[str]:
    """Names that are printed whatever the values are: outside every condition and loop."""
    for output in tree.body:
        if isinstance(output, nodes.Output):
            for node in output.nodes:
                while isinstance(node, nodes.Filter) and node.node is not None and not _variable(node):
                    node = node.node
                if name := _variable(node):
                    yield name
