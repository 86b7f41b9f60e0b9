"""What a template may do: shape text, and nothing else.

Jinja2's immutable sandbox, narrowed: no loader, no method of text that takes a width, no function but
`range`. A sandbox keeps a template from files, modules and private attributes, but not from taking a
machine's time and memory; so the steps and the characters of each rendering are counted here, which
gives the same end on every machine. A clock ends what few steps make long. What is counted and what is
allowed stay in one place: a filter that is let in without its count is a door. It does not know prompts or
samples.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from typing import Any, TypeVar

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.filters import do_round
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from labkit import images
from labkit.errors import DefinitionError

T = TypeVar("T")
MOST_STEPS = 1_000_000
MOST_CHARACTERS = 8_000_000
MOST_S = 5.0
_CALL = 30
_QUICK = 100
"""So many items or characters are gone through in the time of one step."""
_STRIPS = ("strip", "lstrip", "rstrip")
_FILTERS = (
    "abs capitalize count d default dictsort first float groupby int items last length list lower map max "
    "min reject rejectattr reverse round select selectattr sort sum title trim truncate unique upper "
    "wordcount"
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
    ends_at = float("inf")

    def start(self) -> None:
        """A rendering begins."""
        self.steps, self.characters = MOST_STEPS, MOST_CHARACTERS
        self.ends_at = time.monotonic() + MOST_S

    def step(self, weight: int = 1) -> None:
        """One more turn of a loop, operation or item; a call weighs as much as it takes longer."""
        self.steps -= weight
        if self.steps < 0:
            raise OverflowError(f"it takes more than {MOST_STEPS:,} steps")
        if time.monotonic() > self.ends_at:
            raise OverflowError(f"it takes longer than {MOST_S:g} s")

    def takes(self, characters: int) -> None:
        """So many characters more are made."""
        self.characters -= characters
        if self.characters < 0:
            raise OverflowError(f"it gives more than {MOST_CHARACTERS:,} characters")

    def took(self, text: str) -> str:
        """`text`, counted."""
        self.takes(len(text))
        return text

    def walked(self, value: T) -> T:
        """A list or mapping, with everything in it counted: a small tree can stand for a huge one."""
        self.step()
        if isinstance(value, jinja2.Undefined):
            str(value)  # raises, naming what is missing
        elif isinstance(value, str):
            self.takes(len(value))
        elif isinstance(value, Mapping):
            for key, item in value.items():
                self.walked(key)
                self.walked(item)
        elif isinstance(value, (list, tuple)):
            for item in value:
                self.walked(item)
        return value


METER = Meter()


def as_text(value: Any, name: str) -> str:
    """A value as a template prints it: text as it is, numbers as Python writes them, never None."""
    if isinstance(value, str):
        return value
    if value is None:
        raise Empty(name)
    if callable(value):
        raise TypeError(f"{name} is a function, which cannot be printed")
    try:
        return str(METER.walked(value) if isinstance(value, (list, tuple, Mapping)) else value)
    except RuntimeError as error:
        raise TypeError(f"{name} cannot be printed: {error}") from None


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(["+", "*", "**", "%"])

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str):
            return attr in _SAFE_METHODS
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:
        """`str.format` is no method of a template: a width in it takes any amount of memory."""

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        METER.step(_CALL)
        if getattr(obj, "__name__", "") in _STRIPS:
            _check_strip(getattr(obj, "__self__", None), *args)
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


class _Metering(NodeTransformer):
    """Rewrites a template so that its loops, joins and lists are counted when they are rendered."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        node.iter = _filtered(node.iter, "_each")
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), "_concat")

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        """To look for something in a list takes as long as the list is."""
        self.generic_visit(node)
        for operand in node.ops:
            operand.expr = _filtered(operand.expr, "_weighed")
        return node

    def _literal(self, node: Any) -> nodes.Node:
        self.generic_visit(node)
        return node if getattr(node, "ctx", "load") == "store" else _filtered(node, "_walked")

    visit_List = visit_Tuple = visit_Dict = _literal


def compiled(tree: nodes.Template, what: str) -> jinja2.Template:
    """The parsed template, ready to be rendered, with everything it does counted."""
    try:
        _Metering().visit(tree)
        tree.set_environment(ENVIRONMENT)
        code = ENVIRONMENT.compile(tree)
    except jinja2.TemplateError as error:
        raise DefinitionError(f"The {what} cannot be read as a template: {error}.") from None
    except (RecursionError, SyntaxError, MemoryError):
        raise DefinitionError(f"The {what} is nested too deep to be read.") from None
    return jinja2.Template.from_code(ENVIRONMENT, code, ENVIRONMENT.make_globals(None))


def _filtered(node: Any, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


@jinja2.pass_context
def _printable(context: Context, value: Any) -> str:
    if isinstance(value, jinja2.Undefined):
        return str(value)  # raises, naming what is missing
    return METER.took(as_text(value, "a value"))


@jinja2.pass_context
def _each(context: Context, values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        METER.step()
        yield value


@jinja2.pass_context
def _concat(context: Context, values: list[Any]) -> str:
    return METER.took("".join(as_text(value, "a value") for value in values))


@jinja2.pass_context
def _walked(context: Context, value: Any) -> Any:
    return METER.walked(value)


@jinja2.pass_context
def _column(context: Context, name: str) -> Any:
    """The variable of that name, whatever characters it has."""
    return context.resolve(name)


def _weighed(value: T) -> T:
    METER.step(1 + _length(value) // _QUICK)
    return value


def _length(value: object) -> int:
    return len(value) if isinstance(value, (str, list, tuple, range, dict)) else 0


def _counted(work: Callable[..., Any]) -> Callable[..., Any]:
    """A filter or test of Jinja's own; what it is given counts by its length, each time it is called."""

    @wraps(work)
    def counted(*args: Any, **kwargs: Any) -> Any:
        for value in args:
            METER.step(1 + _length(value) // _QUICK)
        return work(*args, **kwargs)

    return counted


def _check_strip(text: object, chars: object = None) -> None:
    """Each character of a text is looked for in `chars`: two long ones take for ever, in one step."""
    if isinstance(chars, str):
        METER.step(_length(text) * len(chars) // _QUICK**2)


def _trim(value: Any, chars: str | None = None) -> str:
    text = as_text(value, "a value")
    _check_strip(text, chars)
    return text.strip(chars)


def _round(value: Any, precision: int = 0, method: Any = "common") -> Any:
    if not isinstance(precision, int) or abs(precision) > 300:
        raise OverflowError("round takes a precision up to 300")
    return do_round(value, precision, method)


def _join(value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
    items = value if attribute is None else (ENVIRONMENT.getitem(item, attribute) for item in value)
    texts = [as_text(item, "a value") for item in items]
    METER.takes(sum(map(len, texts)) + len(d) * len(texts))
    return d.join(texts)


def _replace(value: Any, old: str, new: str, count: int = -1) -> str:
    text = as_text(value, "a value")
    METER.takes(len(text) + len(new) * text.count(old))
    return text.replace(old, new, count)


def _string(value: Any) -> str:
    return METER.took(as_text(value, "a value"))


def _tojson(value: Any, indent: int | None = None) -> str:
    """JSON as it is, not escaped for HTML: it goes into a message."""
    if indent is not None and (type(indent) is not int or not 0 <= indent <= 8):
        raise TypeError("tojson indents by 0 to 8")
    walked = METER.walked(value)
    return METER.took(json.dumps(walked, ensure_ascii=False, sort_keys=True, allow_nan=False, indent=indent))


def _image(value: Any) -> str:
    """What stands for the image that a sample's value names, until the message is made of its parts."""
    if isinstance(value, jinja2.Undefined):
        return str(value)  # raises, naming what is missing
    if value is None:
        raise Empty("an image")
    METER.step(_CALL)
    return METER.took(images.mark(value))


def _environment() -> _Environment:
    environment = _Environment(
        undefined=jinja2.StrictUndefined,
        finalize=_printable,
        keep_trailing_newline=True,
        optimized=False,  # a constant is computed when it is rendered, where its size is counted
        autoescape=False,
    )
    environment.globals = {name: environment.globals[name] for name in ("range", "namespace")}
    theirs: dict[str, Any] = {name: environment.filters[name] for name in _FILTERS.split()}
    environment.filters = {name: _counted(work) for name, work in theirs.items()}
    tests: dict[str, Any] = dict(environment.tests)
    environment.tests = {name: _counted(work) for name, work in tests.items()}
    environment.filters.update(
        round=_counted(_round),
        trim=_trim,
        join=_join,
        replace=_replace,
        string=_string,
        image=_image,
        tojson=_tojson,
        _each=_each,
        _concat=_concat,
        _walked=_walked,
        _column=_column,
        _weighed=_weighed,
    )
    return environment


ENVIRONMENT = _environment()
"""The one environment of all prompts."""
