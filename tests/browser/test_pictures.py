"""The notebook of the workbench on two real models, and the picture of it in README and manual.

The pictures are kept with the others as build output; with `LABKIT_PICTURES=1` those of a run that is watched
also replace the ones in `docs/pictures`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from driver import ROOT

pytestmark = pytest.mark.alone

Open = Callable[..., Any]
DOCS = ROOT / "docs" / "pictures"


def keep(light: Path, dark: Path, *, name: str) -> None:
    """Put a picture in both themes into the documentation, if that is wanted."""
    if os.environ.get("LABKIT_PICTURES"):
        DOCS.mkdir(parents=True, exist_ok=True)
        shutil.copy(light, DOCS / f"{name}.png")
        shutil.copy(dark, DOCS / f"{name}-dark.png")


def test_the_workbench_notebook_on_real_models(open_notebook: Open) -> None:
    """The notebook runs from top to bottom on two real models: choice, stream and result."""
    notebook = open_notebook(name="notebooks/02_workbench.ipynb", size=(1280, 1500))
    page = notebook.page
    for cell in (1, 2, 4):
        notebook.run(cell)
    page.wait_for_function("() => document.querySelector('.lk-estimate')?.textContent.includes('to ask')")
    notebook.pictures("workbench-choose", selector=".labkit >> nth=0")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_function(
        "() => document.querySelectorAll('.lk-panel[data-state=done]').length >= 3"
        " && [...document.querySelectorAll('.lk-panel[data-state=streaming] .lk-text')]"
        ".some((text) => text.textContent.length > 40)"
    )
    keep(*notebook.pictures("workbench-watch", selector=".lk-grid"), name="watch")
    page.wait_for_function("() => document.querySelector('.lk-line').textContent.startsWith('finished')")
    page.wait_for_selector(".lk-answers td")
    notebook.pictures("workbench-read", selector=".widget-tab")
    notebook.run_all()
    assert notebook.errors() == []
    assert page.locator(".lk-grid").count() >= 3
    assert max((path.stat().st_size for path in DOCS.glob("*.png")), default=0) < 300_000
