"""A notebook's parameters as the command line gives them: text that becomes the value it stands for.

What the notebook itself sets in its cell tagged `parameters` says which names there are and which of
them are text. It runs nothing of the notebook.
"""

from __future__ import annotations

import ast
import builtins
import json
import keyword
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from labkit.errors import DefinitionError
from labkit.nearest import by_likeness, meant

_WORDS = {"True": True, "False": False, "None": None}
UNKNOWN = object()
"""A default that is no literal."""
TEXT_OR_NONE = object()
"""The default of a name that is text or None, by what is written beside it."""
ITS_OWN = object()
"""In place of a default: what the notebook sets itself, after the place where a parameter comes in."""


def values(given: Iterable[tuple[str, str]], defaults: Mapping[str, object] | None) -> dict[str, Any]:
    """The parameters' values by name. `defaults`: the names the notebook has (None: that cannot be told).

    Where the default is text, the value is the text as it is; where it is a list or the like, so is the
    value; else JSON and Python's `True`, `False` and
    `None` mean what they mean. A value in quotes is the text in them. Raises one `DefinitionError` for all
    that is wrong.

    >>> values([("version", "1.10"), ("dry_run", "False")], {"version": "", "dry_run": True})
    {'version': '1.10', 'dry_run': False}
    """
    found: dict[str, Any] = {}
    faults: list[str] = []
    for name, text in given:
        try:
            _check_name(name, defaults)
            found[name] = _value(name, text, (defaults or {}).get(name, UNKNOWN))
        except DefinitionError as error:
            faults += error.faults
    if faults:
        raise DefinitionError(faults)
    return found


def defaults_of(book: Any) -> dict[str, object] | None:
    """What a Python notebook's cell tagged `parameters` sets, by name. Where no cell is tagged: every name
    that its code mentions and Python does not have, those it sets before it reads them as `ITS_OWN`. None
    where its code cannot be read."""
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    tagged = next((cell for cell in code if "parameters" in cell.metadata.get("tags", ())), None)
    trees = [_parsed(cell.source) for cell in ([tagged] if tagged else code)]
    if any(tree is None for tree in trees):
        return None
    if tagged is None:
        names = (node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name))
        names = (name for name in names if not hasattr(builtins, name))
        return dict.fromkeys(names, UNKNOWN) | dict.fromkeys(_its_own(trees), ITS_OWN)
    return dict(pair for tree in trees for pair in _assigned(tree))


def _parsed(source: str) -> Any:
    """The cell's code without Jupyter's own commands; None where it is no Python."""
    try:
        from IPython.core.inputtransformer2 import TransformerManager

        transformer = TransformerManager()  # type: ignore[no-untyped-call] # IPython says nothing of it
        return ast.parse(transformer.transform_cell(source))
    except (ImportError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _its_own(trees: Iterable[ast.Module]) -> set[str]:
    """The names that the code sets without having looked for a value that may be there already."""
    own: set[str] = set()
    sought: set[str] = set()
    for statement in (statement for tree in trees for statement in tree.body):
        names: dict[type, set[str]] = {ast.Store: set(), ast.Load: set(), ast.Del: set()}
        for node in _run_at_once(statement):
            if isinstance(node, ast.Name):
                names[type(node.ctx)].add(node.id)
            elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                sought.add(node.target.id)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                sought.add(node.value)  # as in globals().get("limit", 1)
        sought |= names[ast.Load]
        own |= names[ast.Store] - sought
    return own


_LATER = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)
"""What has names of its own, or looks for others' only when it is called."""


def _run_at_once(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, _LATER) or (isinstance(node, ast.AnnAssign) and node.value is None):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _run_at_once(child)


def _assigned(tree: ast.Module) -> Iterator[tuple[str, object]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    default = _literal(node.value)
                    told = isinstance(node, ast.AnnAssign) and _is_text(node.annotation)
                    yield target.id, TEXT_OR_NONE if told and default in (None, UNKNOWN) else default
                else:
                    names = (part for part in ast.walk(target) if isinstance(part, ast.Name))
                    yield from ((part.id, UNKNOWN) for part in names)


def _is_text(annotation: ast.expr) -> bool:
    """Whether it is `str`, with or without None."""
    words = set(re.findall(r"\w+", ast.unparse(annotation)))
    return "str" in words and words <= {"str", "None", "Optional", "Union", "typing", "t"}


def _literal(node: ast.expr | None) -> object:
    if isinstance(node, ast.JoinedStr):
        return ""  # whatever it comes to, it is text
    try:
        return UNKNOWN if node is None else ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return UNKNOWN


def _value(name: str, text: str, default: object) -> object:
    if default is ITS_OWN:
        raise DefinitionError(
            f"{name} is set by the notebook itself, in a cell that is not tagged `parameters`, so that a "
            "value given here would have no effect. Tag that cell."
        )
    value = _read(text, default)
    try:
        json.dumps(value if value is not UNKNOWN else None, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise DefinitionError(
            f"The parameter {name} holds half a character, which no file can keep."
        ) from None
    if isinstance(value, str):
        return value
    is_text = isinstance(default, str) or (default is TEXT_OR_NONE and value is not None)
    is_list = isinstance(default, list | tuple | set | dict)
    fits = not is_text and (not is_list or isinstance(value, list | dict | None))
    # 12e4567 is a commit and not infinity; what 1.10 is, the default tells.
    if value is not UNKNOWN and fits and math.isfinite(_number(value)):
        return value
    if is_list or isinstance(default, bool | int | float):
        raise DefinitionError(
            f"The parameter {name} is {default!r:.80} in the notebook, and {text!r:.80} is nothing of that "
            f"kind. If the text is meant, put it into quotes: '\"…\"'."
        )
    return text


def _read(text: str, default: object) -> object:
    """The value that the text is in JSON or in Python's words; where the notebook has a list or the like,
    also as Python writes one."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # also a number of thousands of digits, or too deep a list
        if text in _WORDS or not isinstance(default, list | tuple | set | dict):
            return _WORDS.get(text, UNKNOWN)
    try:
        value = ast.literal_eval(text)
        json.dumps(value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return UNKNOWN
    return list(value) if isinstance(value, tuple) else value


def _number(value: object) -> float:
    return value if isinstance(value, float) else 0.0


def _check_name(name: str, defaults: Mapping[str, object] | None) -> None:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise DefinitionError(f"The parameter {name!r:.80} is no name. Use letters, digits and _.")
    if defaults is not None and name not in defaults:
        there = by_likeness(name, sorted(one for one, what in defaults.items() if what is not ITS_OWN))
        slip = f" Did you mean {there[0]}?" if meant(name, there) else ""
        has = f"It has: {', '.join(there[:12])}" if there else "It has none: tag a cell `parameters`"
        raise DefinitionError(f"The notebook has no parameter {name!r:.80}.{slip} {has}.")
