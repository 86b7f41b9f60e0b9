"""A notebook's parameters as the command line gives them: text that becomes the value it stands for.

What the notebook itself sets in its cell tagged `parameters` says which names there are and which of
them are text. It runs nothing of the notebook.
"""

from __future__ import annotations

import ast
import difflib
import json
import keyword
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from labkit.errors import DefinitionError

_WORDS = {"True": True, "False": False, "None": None}
UNKNOWN = object()
"""A default that is no literal."""


def values(given: Iterable[tuple[str, str]], defaults: Mapping[str, object] | None) -> dict[str, Any]:
    """The parameters' values by name. `defaults`: the names the notebook has (None: that cannot be told).

    Where the default is text, the value is the text as it is; else JSON and Python's `True`, `False` and
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
    that its code mentions. None where its code cannot be read."""
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    tagged = next((cell for cell in code if "parameters" in cell.metadata.get("tags", ())), None)
    trees = [_parsed(cell.source) for cell in ([tagged] if tagged else code)]
    if any(tree is None for tree in trees):
        return None
    if tagged is None:
        names = (node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name))
        return dict.fromkeys(names, UNKNOWN)
    return dict(pair for tree in trees for pair in _assigned(tree))


def _parsed(source: str) -> Any:
    """The cell's code without Jupyter's own commands; None where it is no Python."""
    try:
        from IPython.core.inputtransformer2 import TransformerManager

        transformer = TransformerManager()  # type: ignore[no-untyped-call] # IPython says nothing of it
        return ast.parse(transformer.transform_cell(source))
    except (ImportError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _assigned(tree: ast.Module) -> Iterator[tuple[str, object]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    yield target.id, _literal(node.value)
                else:
                    names = (part for part in ast.walk(target) if isinstance(part, ast.Name))
                    yield from ((part.id, UNKNOWN) for part in names)


def _literal(node: ast.expr | None) -> object:
    try:
        return UNKNOWN if node is None else ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return UNKNOWN


def _value(name: str, text: str, default: object) -> object:
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise DefinitionError(
            f"The parameter {name} holds half a character, which no file can keep."
        ) from None
    except (ValueError, RecursionError):  # also a number of thousands of digits, or too deep a list
        value = _WORDS.get(text, UNKNOWN)
    if isinstance(value, str):
        return value
    # 12e4567 is a commit and not infinity; what 1.10 is, the default tells.
    if value is not UNKNOWN and not isinstance(default, str) and math.isfinite(_number(value)):
        return value
    if isinstance(default, bool | int | float):
        raise DefinitionError(
            f"The parameter {name} is {default!r} in the notebook, and {text!r:.80} is nothing of that kind. "
            f"If the text is meant, put it into quotes: '\"…\"'."
        )
    return text


def _number(value: object) -> float:
    return value if isinstance(value, float) else 0.0


def _check_name(name: str, defaults: Mapping[str, object] | None) -> None:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise DefinitionError(f"The parameter {name!r:.80} is no name. Use letters, digits and _.")
    if defaults is not None and name not in defaults:
        near = difflib.get_close_matches(name, defaults, n=1)
        meant = f" Did you mean {near[0]}?" if near else ""
        there = ", ".join(list(defaults)[:12]) or "none"
        raise DefinitionError(f"The notebook has no parameter {name!r:.80}.{meant} It has: {there}.")
