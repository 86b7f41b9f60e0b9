"""A widget and the table that stands in for it."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core import display_functions
from IPython.core.interactiveshell import InteractiveShell

from labkit.widgets.fallback import ALIVE, WithFallback


def test_two_outputs_and_only_the_table_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The widget is displayed once; the table beside it can be replaced without touching the widget."""
    published: list[tuple[dict[str, Any], bool]] = []

    def publish(data: dict[str, Any], *args: Any, **given: Any) -> None:
        published.append((data, bool(given.get("update"))))

    monkeypatch.setattr(display_functions, "publish_display_data", publish)
    monkeypatch.setattr(InteractiveShell, "initialized", classmethod(lambda cls: True))
    standing = WithFallback(
        {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "x"}, "<table>1</table>"
    )
    standing.renew("<table>2</table>")
    views = [data for data, _ in published if "application/vnd.jupyter.widget-view+json" in data]
    tables = [(data["text/html"], update) for data, update in published if "text/html" in data]
    assert len(views) == 1
    assert ["1</table>" in tables[0][0], tables[0][1]] == [True, False]
    assert ["2</table>" in tables[1][0], tables[1][1]] == [True, True]
    assert ALIVE in tables[0][0]
