"""What a template may do: shape text, and nothing else.

Jinja2's immutable sandbox, narrowed: no loader, no method of text that takes a width, no function but
`range`. A sandbox keeps a template from files, modules and private attributes, but not from taking a
machine's time and memory; so the steps and the characters of each rendering are counted here, which
gives the same end on every machine. It does not know prompts or samples.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from labkit.errors import DefinitionError

MOST_STEPS = 1_000_000
MOST_CHARACTERS = 8_000_000
_FILTERS = (
    "abs capitalize count d default dictsort first float groupby int items last length list lower map max "
    "min reject rejectattr reverse round select selectattr sort string sum title trim truncate unique "
    "upper wordcount"
)
_STRING_METHODS = (
    "capitalize casefold count endswith find isalnum isalpha isdecimal isdigit islower isnumeric isspace "
    "istitle isupper lower lstrip partition removeprefix removesuffix rfind rpartition rsplit rstrip split "
    "splitlines startswith strip swapcase title upper"
)
_SAFE_METHODS = frozenset(_STRING_METHODS.split())


class Empty(Exception):
    """None was to be printed."""


class Meter(threading.local):
    """What is left to one rendering, in this thread."""

    steps = MOST_STEPS
    characters = MOST_CHARACTERS

    def start(self) -> None:
        """A rendering begins."""
        self.steps, self.characters = MOST_STEPS, MOST_CHARACTERS

    def step(self) -> None:
        """One more turn of a loop, call or operation."""
        self.steps -= 1
        if self.steps < 0:
            raise OverflowError(f"it takes more than {MOST_STEPS:,} steps")

    def takes(self, characters: int) -> None:
        """So many characters more are made."""
        self.characters -= characters
        if self.characters < 0:
            raise OverflowError(f"it gives more than {MOST_CHARACTERS:,} characters")

    def took(self, text: str) -> str:
        """`text`, counted."""
        self.takes(len(text))
        return text


METER = Meter()


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(["+", "*", "**", "%"])

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str):
            return attr in _SAFE_METHODS
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:
        """`str.format` is no method of a template: a width in it takes any amount of memory."""

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        METER.step()
        return super().call(context, obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        METER.step()
        if all(isinstance(side, (int, float)) for side in (left, right)):
            if any(abs(side) >= 2**63 for side in (left, right)) or (operator == "**" and abs(right) > 64):
                raise OverflowError("a number in it becomes too large")
        elif operator != "+":
            raise SecurityError(f"{operator} works on numbers only")
        else:
            METER.takes(sum(len(side) for side in (left, right) if hasattr(side, "__len__")))
        return super().call_binop(context, operator, left, right)


def _printable(context: Context, value: Any) -> str:
    if isinstance(value, jinja2.Undefined):
        return str(value)  # raises, naming what is missing
    return METER.took(as_text(value, "a value"))


def as_text(value: Any, name: str) -> str:
    """A value as a template prints it: text as it is, numbers as Python writes them, never None."""
    if isinstance(value, str):
        return value
    if value is None:
        raise Empty(name)
    if callable(value):
        raise TypeError(f"{name} is a function, which cannot be printed")
    return str(value)


def _each(context: Context, values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        METER.step()
        yield value


def _concat(context: Context, values: list[Any]) -> str:
    return METER.took("".join(as_text(value, "a value") for value in values))


def _join(value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
    values = (
        [ENVIRONMENT.getitem(item, attribute) for item in value] if attribute is not None else list(value)
    )
    texts = [as_text(item, "a value") for item in values]
    METER.takes(sum(map(len, texts)) + len(d) * len(texts))
    return d.join(texts)


def _replace(value: Any, old: str, new: str, count: int = -1) -> str:
    text = str(value)
    METER.takes(len(text) + len(new) * text.count(old))
    return text.replace(old, new, count)


def _tojson(value: Any) -> str:
    return METER.took(json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False))


def _environment() -> _Environment:
    environment = _Environment(
        undefined=jinja2.StrictUndefined,
        finalize=jinja2.pass_context(_printable),
        keep_trailing_newline=True,
        optimized=False,  # a constant is computed when it is rendered, where its size is counted
        autoescape=False,
    )
    environment.globals = {name: environment.globals[name] for name in ("range", "namespace")}
    environment.filters = {name: environment.filters[name] for name in _FILTERS.split()}
    environment.filters.update(
        join=_join,
        replace=_replace,
        tojson=_tojson,
        _each=jinja2.pass_context(_each),
        _concat=jinja2.pass_context(_concat),
    )
    return environment


ENVIRONMENT = _environment()
"""The one environment of all prompts."""


def compiled(tree: nodes.Template, what: str) -> jinja2.Template:
    """The parsed template, ready to be rendered, with its loops and joins counted."""
    for loop in list(tree.find_all(nodes.For)):
        loop.iter = _filtered(loop.iter, "_each")
    _without_concat(tree)
    try:
        code = ENVIRONMENT.compile(tree)
    except jinja2.TemplateError as error:
        raise DefinitionError(f"The {what} cannot be read as a template: {error}.") from None
    except (RecursionError, SyntaxError, MemoryError):
        raise DefinitionError(f"The {what} is nested too deep to be read.") from None
    return jinja2.Template.from_code(ENVIRONMENT, code, ENVIRONMENT.make_globals(None))


def _filtered(node: Any, name: str) -> nodes.Filter:
    made = nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)
    made.set_environment(ENVIRONMENT)
    return made


def _without_concat(node: nodes.Node) -> None:
    for name, value in node.iter_fields():
        if isinstance(value, nodes.Node):
            _without_concat(value)
            if isinstance(value, nodes.Concat):
                setattr(node, name, METERed(value))
        elif isinstance(value, list):
            for position, item in enumerate(value):
                if isinstance(item, nodes.Node):
                    _without_concat(item)
                if isinstance(item, nodes.Concat):
                    value[position] = METERed(item)


def METERed(node: nodes.Concat) -> nodes.Filter:
    items = nodes.List(node.nodes, lineno=node.lineno)
    items.set_environment(ENVIRONMENT)
    return _filtered(items, "_concat")
