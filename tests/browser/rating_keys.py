"""Rating in a notebook by keys, and what came of it."""

from __future__ import annotations

from typing import Any

PAUSE_S = 0.21
"""Longer than two presses that are one."""


def kept(notebook: Any, source: str) -> list[dict[str, Any]]:
    """The rows that this source gives, run in a cell of its own."""
    cell = notebook.add(source)
    notebook.run(cell)
    found: list[dict[str, Any]] = eval(notebook.outputs(cell)[0]["data"]["text/plain"])
    return found


def cells(notebook: Any) -> Any:
    """Every cell's kind, source and count; which one is chosen is no matter."""
    return notebook.page.evaluate(
        "() => [...jupyterapp.shell.currentWidget.content.model.cells]"
        ".map((cell) => [cell.type, cell.sharedModel.getSource(), cell.executionCount])"
    )
