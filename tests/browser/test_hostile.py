"""Hostile strings in every widget, repr, chart and export, in a real browser: shown, never run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

Open = Callable[..., Any]

SETUP = """
from hostile import *
lab = lk.Lab("hostile.duckdb", models=models)
lab.prompts.save(prompt)
plan = lab.plan(
    prompts=["nasty"], models=ids, dataset=table, scorers=[lk.contains("target")], experiment=experiment
)"""
BENCH = """
bench = lk.Workbench(lab, prompts=["nasty"], models=ids, dataset=table)
bench.prompts.edit("nasty")
bench"""
OURS = [
    SETUP,
    "run = plan.run()\nrun",
    "lk.LiveGrid(run)",
    BENCH,
    "lk.History(lab)",
    "prompt",
    "models[0]",
    "plan",
    "lab.models",
    "lk.charts.cost_latency(run)",
    "lk.charts.scores(run)",
    "lk.charts.ttft(run)",
    "from IPython.display import display\n"
    "for name in ('frontier', 'forest', 'speed', 'drift', 'latency', 'cost_parts', 'tokens_cost'):\n"
    "    display(getattr(lk.charts, name)(run))\n"
    "lk.charts.slices(run, HOSTILE[0])",
    "verdict = run.verdict(by='model')\nverdict",
    "run.differences()",
    "lab.compare(run, run)",
    "plan.estimate()",
    "lab.run('latest')",
    "run.report('hostile-report.html', question=ALL)\nlab",
]
FRAMES = ["run.generations()", "run.summary()"]
"""Plain pandas: it escapes, and shows what turns text as it is."""
MADE_OF_DATA = """() => {
    const places = '.jp-OutputArea-output, .jp-RenderedHTMLCommon, body > div';
    const acting = 'iframe, img, script, [onerror], [onload], a[href^="javascript"]';
    return [...document.querySelectorAll(places)]
        .flatMap((place) => [...place.querySelectorAll(acting)].map((one) => one.outerHTML.slice(0, 200)))
        .filter((html) => ['alert', '203.0.113', 'src="x"'].some((piece) => html.includes(piece)));
}"""
"""Elements in outputs that could only have come from data."""
TURNING = """(count) => [...document.querySelectorAll('.jp-CodeCell')].slice(0, count)
    .map((cell) => cell.querySelector('.jp-OutputArea').innerText)
    .map((text, i) => /[\\u202e\\u2066\\u200b\\u001b]/.test(text) ? i : -1).filter((i) => i >= 0)"""
"""Cells in whose outputs a character turns or hides text."""


def test_hostile_strings_everywhere(open_notebook: Open, server: Any, browser: Any, tmp_path: Path) -> None:
    """Live and exported: no dialog opens, no script runs, no request leaves; the text is shown as it is."""
    notebook = open_notebook([*OURS, *FRAMES], size=(1280, 1600))
    notebook.run_all()
    assert notebook.errors() == []
    page = notebook.page
    page.wait_for_selector(".lk-estimate")
    page.get_by_text("Write a prompt").first.click()
    page.get_by_text("Plan in detail").first.click()
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_function("() => document.querySelectorAll('.lk-line').length >= 3")
    page.wait_for_selector(".lk-answers td")
    for tab in ("Summary", "Charts", "Rows", "Answers"):
        page.locator(".widget-tab").first.get_by_role("tab", name=tab, exact=True).click()
    page.wait_for_selector(".lk-answers td")
    page.get_by_role("button", name="Show code").first.click()
    # The workbench's own chart is in a tab that is not looked at now.
    page.wait_for_selector(".js-plotly-plot:visible .main-svg")
    for plot in page.locator(".js-plotly-plot:visible").all():
        plot.scroll_into_view_if_needed()
        for point in plot.locator(".points path").all()[:3]:
            point.hover(force=True)
    assert page.evaluate(MADE_OF_DATA) == []
    grid = page.locator(".lk-grid .lk-text").first.inner_text()
    assert "<img src=x onerror=alert(1)>" in grid
    assert "⟨202E⟩" in grid
    assert page.evaluate(TURNING, len(OURS)) == []
    notebook.pictures("hostile")
    notebook.save()
    exported = export(server.work / notebook.name, tmp_path)
    for path, there in ((exported, "table.lk-still"), (server.work / "hostile-report.html", "table")):
        stays_harmless(browser, path, there)


def stays_harmless(browser: Any, path: Path, there: str) -> None:
    """A page opened from disk shows the strings, opens no dialog and asks nobody for anything."""
    opened = browser.new_page()
    dialogs: list[str] = []
    leaving: list[str] = []
    opened.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    opened.route("**/*", lambda route: refuse(route, leaving))
    opened.goto(path.as_uri(), wait_until="domcontentloaded")
    opened.wait_for_selector(there, state="attached")  # a grid that is over is folded
    assert "<img src=x onerror=alert(1)>" in opened.locator("body").inner_text()
    assert opened.evaluate(MADE_OF_DATA) == []
    assert dialogs == []
    assert [url for url in leaving if "203.0.113" in url] == []
    opened.close()


def export(notebook: Path, folder: Path) -> Path:
    """The saved notebook as one HTML page."""
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--output-dir", str(folder), str(notebook)]
    subprocess.run(command, check=True, capture_output=True)
    return folder / f"{notebook.stem}.html"


def refuse(route: Any, leaving: list[str]) -> None:
    """Lets files through and remembers what wanted to leave."""
    if route.request.url.startswith(("file:", "data:", "blob:")):
        route.continue_()
    else:
        leaving.append(route.request.url)
        route.abort()
