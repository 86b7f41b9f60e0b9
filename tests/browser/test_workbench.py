"""The workbench, the selectors and the history in a real JupyterLab, as a person uses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from driver import ROOT
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

Open = Callable[..., Any]

SETUP = """
import labkit as lk
from models import counting, talking
lab = lk.Lab("{name}.duckdb", models=[{models}])
lab.prompts.save(lk.Prompt("tone", "Is this praise or a complaint? {{{{ text }}}}"))
lab.prompts.save(lk.Prompt("tone", "Praise or complaint, in one word: {{{{ text }}}}"))
"""
BENCH = "lk.Workbench(lab, prompts=['tone'], models=['scripted/a', 'scripted/b'], {given})"


STAYS = """() => {
    const table = document.querySelector('.lk-answers'), head = table.querySelector('thead th');
    table.scrollTo(60, 90);
    const [seen, whole] = [head, table].map((element) => element.getBoundingClientRect());
    return [table.scrollTop > 0, Math.abs(seen.top - whole.top) < 3, Math.abs(seen.left - whole.left) < 3];
}"""
"""Whether the table of answers was scrolled, and its first head is still where it was."""


def setup(name: str, models: str = "counting('a'), counting('b')") -> str:
    """A cell with a lab of two models and a prompt in two versions."""
    return SETUP.format(name=name, models=models)


def line(notebook: Any, state: str) -> None:
    """Wait until the run says it is in this state."""
    notebook.page.wait_for_function(
        "(state) => document.querySelector('.lk-line')?.textContent.startsWith(state)", arg=state
    )


def test_choose_edit_run_watch_stop_resume(open_notebook: Open) -> None:
    """Prompts and models are picked, a prompt is written, the run is watched, stopped, and resumed."""
    models = "counting('a', at_once=1, delay_s=1.5), counting('b', at_once=1, delay_s=1.5)"
    notebook = open_notebook(
        [
            setup("whole", models),
            "bench = " + BENCH.format(given="dataset='data/datasets/tickets.csv', rows=4"),
            "bench",
        ],
        size=(1280, 1700),
    )
    notebook.run_all()
    page = notebook.page
    page.wait_for_function(
        "() => document.querySelector('.lk-estimate')?.textContent.startsWith('0 of 8 known')"
    )
    page.get_by_text("Write a prompt").click()
    page.get_by_label("Prompt", exact=True).fill("Answer with one word, praise or complaint: {{ text }}")
    page.wait_for_function("() => document.body.textContent.includes('What is sent')")
    page.get_by_label("Use this prompt as it stands").check()
    page.wait_for_function(
        "() => document.querySelector('.lk-estimate')?.textContent.includes('of 16 known')"
    )
    notebook.pictures("workbench-choosing", selector=".labkit >> nth=0")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_selector(".lk-panel[data-state=streaming]")
    page.get_by_role("button", name="Stop all").click()
    line(notebook, "stopped")
    page.wait_for_function("() => !document.querySelector('.lk-estimate').textContent.startsWith('0 of 16')")
    page.get_by_role("button", name="Run", exact=True).click()
    line(notebook, "finished")
    page.wait_for_function(
        "() => document.querySelector('.lk-estimate').textContent.startsWith('16 of 16 known')"
    )
    page.wait_for_selector(".lk-answers td")
    notebook.pictures("workbench-done", selector=".labkit >> nth=0")


def test_results_follow_the_run(open_notebook: Open) -> None:
    """A run that code started: answers with scores, summary, charts and rows fill while it goes."""
    notebook = open_notebook(
        [
            setup("tabs"),
            "bench = "
            + BENCH.format(given="dataset='data/datasets/tickets.csv', rows=6, score='contains the target'")
            + "\nbench",
            "run = bench.start()",
        ],
        size=(1280, 1700),
    )
    notebook.run_all()
    page = notebook.page
    page.wait_for_selector(".lk-answers mark")
    page.wait_for_selector(".lk-answers td .lk-bad")
    tabs = page.locator(".widget-tab").first
    for tab, there in (
        ("Summary", ".labkit-summary td"),
        ("Charts", ".js-plotly-plot .main-svg"),
        ("Rows", ".lk-rows td"),
    ):
        tabs.get_by_role("tab", name=tab, exact=True).click()
        page.wait_for_selector(f".widget-tab {there}")
        notebook.pictures(f"workbench-{tab.lower()}", selector=".widget-tab")
    line(notebook, "finished")
    tabs.get_by_role("tab", name="Charts", exact=True).click()
    for chart in ("score", "time to first token (ECDF)"):
        page.get_by_label("Chart", exact=True).select_option(chart)
        page.wait_for_selector(".widget-tab .js-plotly-plot .main-svg")
    page.wait_for_function("() => document.querySelector('.widget-tab').textContent.includes('n = ')")
    page.wait_for_function("() => document.querySelector('.lk-estimate').textContent.startsWith('12 of 12')")
    tabs.get_by_role("tab", name="Answers", exact=True).click()
    page.set_viewport_size({"width": 1000, "height": 500})
    assert page.evaluate(STAYS) == [True, True, True]


def test_blocks_are_measured(open_notebook: Open) -> None:
    """Blocks are ticked to be measured; the plan says in which sets, and a tab what each is worth."""
    blocks = "[lk.Block('manner', 'Answer with one word.'), lk.Block('shop', 'We sell lamps.')]"
    prompt = f"lk.Prompt('sorted', 'Praise or complaint? {{{{ text }}}}', blocks={blocks})"
    given = "dataset='data/datasets/tickets.csv', rows=6, score='contains the target'"
    bench = f"bench = lk.Workbench(lab, prompts=[{prompt}], models=['scripted/a'], {given})"
    notebook = open_notebook([setup("blocks"), bench, "bench"], size=(1280, 1700))
    notebook.run_all()
    page = notebook.page
    page.wait_for_function(
        "() => document.querySelector('.lk-estimate')?.textContent.startsWith('0 of 6 known')"
    )
    for place in range(2):
        page.get_by_label("measure", exact=True).nth(place).check()
    page.wait_for_function(
        "() => document.querySelector('.lk-estimate')?.textContent.startsWith('0 of 24 known')"
    )
    expect(
        page.get_by_text("measures the blocks 'manner', 'shop' of 'sorted' in 4 sets").first
    ).to_be_visible()
    page.get_by_role("button", name="Run", exact=True).click()
    line(notebook, "finished")
    page.get_by_role("tab", name="Blocks", exact=True).click()
    expect(page.get_by_text("is not shown to matter").first).to_be_visible()
    notebook.pictures("workbench-blocks", selector=".labkit >> nth=0")


def test_show_code_in_a_new_cell_gives_the_same_run(open_notebook: Open) -> None:
    """The code shown, pasted into a new cell and run, asks nothing anew: each answer is known."""
    notebook = open_notebook(
        [
            setup("code", "counting('a', delay_s=0.2), counting('b', delay_s=0.2)"),
            "import pandas as pd\ntickets = pd.DataFrame({'text': ['It\\'s \"late\"', 'Lovely {{ x }}']})",
            "bench = " + BENCH.format(given="dataset=tickets, repeats=2") + "\nbench",
        ]
    )
    notebook.run_all()
    page = notebook.page
    page.wait_for_selector(".lk-estimate")
    page.get_by_role("button", name="Run", exact=True).click()
    line(notebook, "finished")
    page.get_by_role("button", name="Show code").last.click()
    code = page.locator(".labkit .lk-code").inner_text()
    assert "lk.Lab(" not in code
    cell = notebook.add(code)
    notebook.run(cell)
    check = notebook.add(
        "new, old = run.generations(), bench.run.generations()\n"
        "bool(new['replayed_from'].notna().all()), sorted(new['text']) == sorted(old['text']), len(new)"
    )
    notebook.run(check)
    assert notebook.errors() == []
    assert notebook.outputs(check)[0]["data"]["text/plain"] == "(True, True, 8)"


def test_params_filters_and_versions(open_notebook: Open) -> None:
    """Search, filters, a param and an older version, all by clicking, reach `.value`."""
    notebook = open_notebook(
        [
            setup("select"),
            "prompts = lk.PromptSelector(lab, value=['tone'])\nprompts",
            "models = lk.ModelSelector(lab, value=['scripted/a'])\nmodels",
            "prompts.value, models.value, models.value[0].params",
        ],
        size=(1280, 1900),
    )
    for cell in range(3):
        notebook.run(cell)
    page = notebook.page
    page.get_by_label("Find models").fill("gpt-4o")
    page.wait_for_function("() => !document.body.textContent.includes('anthropic/claude')")
    page.get_by_label("openai/gpt-4o", exact=True).check()
    page.get_by_label("Find models").fill("")
    page.get_by_text("Params of the chosen models").click()
    expect(page.get_by_label("temperature")).to_have_count(2)
    page.get_by_label("temperature").first.fill("0.25")
    page.get_by_label("temperature").first.press("Enter")
    page.locator("select", has_text="latest").select_option("@1")
    notebook.pictures("selector-prompts", selector=".labkit >> nth=0")
    notebook.pictures("selector-models", selector=".labkit >> nth=1")
    notebook.run(3)
    said = notebook.outputs(3)[0]["data"]["text/plain"]
    assert "'tone@1'" in said
    assert "openai/gpt-4o" in said
    assert "0.25" in said


def test_a_wrong_value_is_said_where_one_looks(open_notebook: Open) -> None:
    """What a field cannot take, and what a plan cannot be made of, is said in the form, by an alert."""
    notebook = open_notebook([setup("wrong"), BENCH.format(given="")])
    notebook.run_all()
    page = notebook.page
    page.get_by_label("Repeats").fill("many")
    page.get_by_label("Repeats").press("Enter")
    page.wait_for_selector("[role=alert]:has-text('write a number')")
    page.get_by_label("Repeats").fill("0")
    page.get_by_label("Repeats").press("Enter")
    page.wait_for_selector(".lk-bad:has-text('repeats is 0')")
    assert page.get_by_role("button", name="Run", exact=True).is_disabled()


def test_workbench_by_keyboard(open_notebook: Open) -> None:
    """Without a mouse: Tab to Run, press Enter, and the run goes."""
    notebook = open_notebook([setup("keys2", "counting('a', delay_s=0.2), counting('b', delay_s=0.2)"),
                              BENCH.format(given="dataset='data/datasets/tickets.csv', rows=1")])  # fmt: skip
    notebook.run_all()
    page = notebook.page
    page.wait_for_function("() => document.querySelector('.lk-estimate')?.textContent.includes('to ask')")
    page.get_by_label("Find prompts").focus()
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.textContent") == "Run":
            break
    assert page.evaluate("() => document.activeElement.textContent") == "Run"
    page.keyboard.press("Enter")
    line(notebook, "finished")


def test_history(open_notebook: Open) -> None:
    """Runs are found, opened, compared and run again in the history."""
    notebook = open_notebook(
        [
            setup("past", "counting('a', delay_s=0), counting('b', delay_s=0)"),
            "rows = [{'text': 'x', 'target': 'no'}]\n"
            "for asked in ('Praise? {{ text }}', 'Complaint? {{ text }}'):\n"
            "    lab.plan(prompts=[lk.Prompt('tone', asked)], models=['scripted/a'], dataset=rows,\n"
            "             scorers=[lk.contains()]).run(progress='none')",
            "lk.History(lab)",
        ],
        size=(1280, 1200),
    )
    notebook.run_all()
    page = notebook.page
    page.get_by_role("checkbox").nth(0).check()
    page.get_by_role("checkbox").nth(1).check()
    page.get_by_role("button", name="Compare two").click()
    page.wait_for_selector(".labkit-verdict li")
    page.wait_for_selector(".lk-answers td .lk-bad")
    notebook.pictures("history", selector=".labkit >> nth=0")
    page.get_by_role("checkbox").nth(1).uncheck()
    page.get_by_role("button", name="Open").click()
    page.wait_for_selector(".widget-tab .lk-answers td")
    page.get_by_role("button", name="Run again").click()
    line(notebook, "finished")
    page.wait_for_function("() => document.body.textContent.includes('3 listed')")


def test_magic(open_notebook: Open) -> None:
    """`%%prompt` shows the grid in its cell and returns the run; `%models` lists."""
    notebook = open_notebook(
        [
            setup("magic", "talking('a', delay_s=1.0), talking('b', delay_s=1.0)") + "%load_ext labkit",
            "%%prompt scripted/a scripted/b\nIs this praise? Thank you for the quick reply.",
            "_.wait().generations()['status'].tolist()",
            "%models scripted",
        ]
    )
    notebook.run(0)
    notebook.run(1)
    line(notebook, "finished")
    notebook.pictures("magic")
    notebook.run(2)
    notebook.run(3)
    assert notebook.errors() == []
    assert notebook.outputs(2)[0]["data"]["text/plain"] == "['done', 'done']"


@pytest.mark.skipif(not (ROOT / "notebooks" / "01_quickstart.ipynb").exists(), reason="no quickstart")
def test_newcomer_runs_the_quickstart(open_notebook: Open, server: Any) -> None:
    """Somebody opens the quickstart and runs all, on two real models, for a few rows."""
    path = server.work / "notebooks" / "01_quickstart.ipynb"
    path.write_text(path.read_text().replace("rows = 40", "rows = 3"))
    notebook = open_notebook(name="notebooks/01_quickstart.ipynb", size=(1280, 1400))
    notebook.run_all()
    assert notebook.errors() == []
    page = notebook.page
    assert page.locator(".lk-grid").count() == 1
    assert page.locator(".labkit-summary").count() >= 1
    page.locator(".lk-grid").scroll_into_view_if_needed()
    notebook.pictures("quickstart-grid", selector=".lk-grid")
    notebook.pictures("quickstart")
