"""The live grid in a real JupyterLab: nothing lost, everything reachable, a table left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from models import words

pytestmark = pytest.mark.browser

Open = Callable[..., Any]

SETUP = """
import os
import labkit as lk
from models import counting, served, talking
os.environ["SERVED_API_KEY"] = "sk-served-by-the-test-0123456789"
lab = lk.Lab("{name}.duckdb", models=[{models}])
plan = lab.plan(
    prompts=[lk.Prompt("count", "Count for {{{{ n }}}}")],
    models=[{ids}],
    dataset=[{{"id": f"row-{{n:03}}", "n": str(n)}} for n in range({rows})],
)
"""


def setup(name: str, *models: str, rows: int, address: str | None = None, **given: float) -> str:
    """A cell with a lab of counting models, or of models served at `address`; a plan over `rows` samples."""
    options = "".join(f", {key}={value}" for key, value in given.items())
    if address is None:
        made = ", ".join(f"counting({model!r}{options})" for model in models)
    else:
        made = ", ".join(f"served({model!r}, {address!r})" for model in models)
    ids = ", ".join(repr(f"{'served' if address else 'scripted'}/{model}") for model in models)
    return SETUP.format(name=name, models=made, ids=ids, rows=rows)


def texts(notebook: Any, grid: int = 0) -> dict[str, str]:
    """What a grid shows: each panel's name and text."""
    found: dict[str, str] = notebook.page.evaluate(
        """(grid) => Object.fromEntries(
            [...document.querySelectorAll('.lk-grid')[grid].querySelectorAll('.lk-panel')].map(
              (panel) => [panel.getAttribute('aria-label'), panel.querySelector('.lk-text').textContent]))""",
        grid,
    )
    return found


def expected(models: list[str], rows: int, count: int) -> dict[str, str]:
    """What a grid is to show when all is done."""
    return {
        f"scripted/{model}, count@1 · row-{row:03}": words(model, str(row), count)
        for model in models
        for row in range(rows)
    }


def until(notebook: Any, state: str) -> None:
    """Wait until a run says it is `finished`, `stopped`, …"""
    notebook.page.wait_for_function(
        "(state) => [...document.querySelectorAll('.lk-line')]"
        ".some((one) => one.textContent.startsWith(state))",
        arg=state,
    )


def say(served: Any, models: list[str], count: int, *, a_second: float) -> dict[str, str]:
    """Let each served model say `count` words that no other says; what each says."""
    told = {model: words(model, "all", count) for model in models}
    for model, text in told.items():
        served.says(model, text, a_second=a_second)
    return told


def test_reload_in_mid_stream_loses_nothing(open_notebook: Open, served: Any) -> None:
    """After a reload in mid-stream, from a real port, the grid is there again; in the end every word is,
    once and in order."""
    told = say(served, ["a", "b"], 120, a_second=15)
    notebook = open_notebook([setup("reload", *told, rows=3, address=served.address), "run = plan.start()"])
    notebook.run_all()
    notebook.page.wait_for_selector(".lk-panel[data-state=streaming]")
    notebook.save()
    notebook.goto(reset=False)
    notebook.page.wait_for_selector(".lk-panel[data-state=streaming]")
    assert all(text for text in texts(notebook).values())
    until(notebook, "finished")
    assert texts(notebook) == {
        f"served/{model}, count@1 · row-{row:03}": text for model, text in told.items() for row in range(3)
    }


def test_a_blocking_run_streams_and_stops(open_notebook: Open) -> None:
    """While `plan.run()` keeps the kernel busy text arrives and Stop works; the cell run again resumes."""
    notebook = open_notebook(
        [
            setup("blocking", "a", rows=24, count=20, delay_s=1.0, at_once=2),
            "run = plan.run()",
            "run.generations()['status'].value_counts().to_dict()",
            "run.run_id",
        ]
    )
    notebook.run(0)
    notebook.run(1, wait=False)
    notebook.page.wait_for_selector(".lk-panel[data-state=streaming]")
    assert notebook.busy()
    notebook.page.get_by_role("button", name="Stop all").click()
    notebook.wait()
    until(notebook, "stopped")
    notebook.run(2)
    notebook.run(3)
    counts = eval(notebook.outputs(2)[0]["data"]["text/plain"])
    assert counts["stopped"] > 0
    first = notebook.outputs(3)[0]["data"]["text/plain"]
    for cell in (1, 2, 3):
        notebook.run(cell)
    assert eval(notebook.outputs(2)[0]["data"]["text/plain"]) == {"done": 24}
    assert notebook.outputs(3)[0]["data"]["text/plain"] == first


def test_pause_and_stop_one_model(open_notebook: Open) -> None:
    """Pause sends nothing more until Resume; one model's Stop ends that model and leaves the other."""
    notebook = open_notebook(
        [
            setup("pausing", "a", "b", rows=20, count=10, delay_s=0.5, at_once=2),
            "run = plan.start()",
            "run.wait().generations().groupby('model')['status'].agg(lambda s: sorted(set(s))).to_dict()",
        ]
    )
    notebook.run(0)
    notebook.run(1)
    page = notebook.page
    page.wait_for_selector(".lk-panel[data-state=streaming]")
    page.get_by_role("button", name="Pause").click()
    until(notebook, "paused")
    page.wait_for_function("() => !document.querySelector('[data-state=streaming], [data-state=asking]')")
    notebook.pictures("paused")
    page.get_by_role("button", name="Stop scripted/b").click()
    page.get_by_role("button", name="Resume").click()
    until(notebook, "stopped")
    notebook.run(2)
    found = eval(notebook.outputs(2)[0]["data"]["text/plain"])
    assert found["scripted/a"] == ["done"]
    assert found["scripted/b"] == ["done", "stopped"]


@pytest.mark.alone
def test_forty_eight_panels(open_notebook: Open, served: Any) -> None:
    """48 answers at 50 words a second, from a real port: every character arrives, at most ten messages a
    second."""
    told = say(served, ["a", "b", "c", "d"], 200, a_second=50)
    notebook = open_notebook(
        [
            setup("panels", *told, rows=12, address=served.address),
            "run = plan.start()",
            "(run.progress.grid._number, run.progress.took_s)",
        ],
        size=(1400, 1900),
    )
    notebook.run(0)
    notebook.page.evaluate(
        """() => {
            window.frames_seen = 0; window.counting = true;
            const count = () => {
              window.frames_seen += 1;
              if (window.counting) requestAnimationFrame(count);
            };
            requestAnimationFrame(count);
        }"""
    )
    notebook.run(1)
    notebook.page.wait_for_selector(".lk-panel[data-state=streaming]")
    notebook.pictures("panels-48-live")
    until(notebook, "finished")
    frames = notebook.page.evaluate("() => { window.counting = false; return window.frames_seen; }")
    assert frames > 20
    notebook.run(2)
    messages, seconds = eval(notebook.outputs(2)[0]["data"]["text/plain"])
    assert messages <= 10 * seconds + 2
    assert texts(notebook) == {
        f"served/{model}, count@1 · row-{row:03}": text for model, text in told.items() for row in range(12)
    }
    notebook.page.get_by_role("button", name="show answers").click()
    notebook.pictures("panels-48")


def test_two_views_agree(open_notebook: Open) -> None:
    """A run shown in another cell, and in a grid of its own, shows the same while it goes and after."""
    notebook = open_notebook(
        [
            setup("views", "a", "b", rows=2, count=60, delay_s=3.0),
            "run = plan.start()",
            "run",
            "lk.LiveGrid(run)",
        ]
    )
    notebook.run_all()
    notebook.page.wait_for_function("() => document.querySelectorAll('.lk-grid').length === 3")
    notebook.page.wait_for_selector(".lk-panel[data-state=streaming]")
    until(notebook, "finished")
    notebook.page.wait_for_function(
        "() => [...document.querySelectorAll('.lk-panel')].every((panel) => panel.dataset.state === 'done')"
    )
    whole = expected(["a", "b"], 2, 60)
    assert [texts(notebook, grid) for grid in range(3)] == [whole] * 3


def test_pages(open_notebook: Open) -> None:
    """With more rows than fit, one pages through all of them; each row is seen once."""
    notebook = open_notebook(
        [setup("pages", "a", "b", rows=50, count=3, delay_s=0.0, first_token_s=0.0), "run = plan.run()"]
    )
    notebook.run_all()
    page = notebook.page
    until(notebook, "finished")
    seen: dict[str, str] = {}
    page.get_by_role("button", name="show answers").click()
    assert page.get_by_role("button", name="Previous rows").is_disabled()
    for first in (1, 25, 49):
        page.wait_for_function(
            "(first) => document.querySelector('.lk-where').textContent.startsWith(`rows ${first}–`)",
            arg=first,
        )
        assert not set(texts(notebook)) & set(seen)
        seen |= texts(notebook)
        if first < 49:
            page.get_by_role("button", name="Next rows").click()
    assert seen == expected(["a", "b"], 50, 3)
    assert page.get_by_role("button", name="Next rows").is_disabled()


def test_keyboard_only(open_notebook: Open) -> None:
    """Tab reaches every button and panel by name, Enter and Space press; focus stays while text arrives."""
    notebook = open_notebook([setup("keys", "a", "b", rows=2, count=200, delay_s=20.0), "run = plan.start()"])
    notebook.run_all()
    page = notebook.page
    page.wait_for_selector(".lk-panel[data-state=streaming]")
    focused = (
        "() => { const e = document.activeElement; return e.getAttribute('aria-label') || e.textContent; }"
    )
    page.evaluate("() => document.querySelector('.lk-grid button').focus()")
    seen = [page.evaluate(focused)]
    for _ in range(7):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(focused))
    assert seen[:2] == ["Pause", "Stop all"]
    assert seen[2:4] == ["Stop scripted/a", "Stop scripted/b"]
    assert seen[4:] == list(texts(notebook))
    before = page.evaluate("() => document.activeElement.querySelector('.lk-text').textContent.length")
    page.wait_for_function(
        "(before) => document.activeElement.querySelector('.lk-text').textContent.length > before + 20",
        arg=before,
    )
    assert page.evaluate(focused) == seen[-1]
    assert page.evaluate("() => document.activeElement.getAttribute('aria-live')") == "polite"
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.classList.contains('lk-tall')")
    notebook.pictures("keyboard")
    for _ in range(6):
        page.keyboard.press("Shift+Tab")
    assert page.evaluate(focused) == "Stop all"
    page.keyboard.press("Space")
    until(notebook, "stopp")
    snapshot = page.locator(".lk-grid").aria_snapshot()
    assert 'log "scripted/a, count@1 · row-000"' in snapshot
    assert "status" in snapshot
    assert "progressbar" in snapshot


def test_keys_in_the_grid_touch_no_cell(open_notebook: Open) -> None:
    """On a panel, its text or a button the keys that insert, delete or convert cells do nothing."""
    notebook = open_notebook([setup("keys-off", "a", rows=2, count=5), "run = plan.start()"])
    notebook.run_all()
    page = notebook.page
    until(notebook, "finished")
    page.wait_for_selector(".lk-panel")
    cells = (
        "() => [...jupyterapp.shell.currentWidget.content.model.cells]"
        ".map((cell) => [cell.type, cell.sharedModel.getSource()])"
    )
    before = page.evaluate(cells)
    for place in (".lk-panel", ".lk-text", ".lk-table", ".lk-steering .lk-button[aria-expanded]"):
        for key in ("b", "a", "d", "d", "m", "x", "1"):
            page.evaluate("(place) => document.querySelector(place).focus()", place)
            page.keyboard.press(key)
    assert page.evaluate(cells) == before


def test_saved_and_reopened_without_a_kernel(open_notebook: Open, server: Any) -> None:
    """The saved notebook holds a readable table, cut and escaped, whether it is opened trusted or not."""
    notebook = open_notebook(
        [setup("saved", "a", "b", rows=150, count=60, delay_s=0.0, first_token_s=0.0), "run = plan.run()"]
    )
    path: Path = server.work / notebook.name
    notebook.run(0)
    notebook.save()
    size = path.stat().st_size
    notebook.run(1)
    until(notebook, "finished")
    notebook.page.wait_for_function(
        "() => JSON.stringify(jupyterapp.shell.currentWidget.content.model.cells.get(1).outputs.toJSON())"
        ".includes('300 of 300')"
    )
    notebook.save()
    assert path.stat().st_size - size < 200_000
    data = json.loads(path.read_text())["cells"][1]["outputs"][1]["data"]
    page = "".join(data["text/html"])
    assert "a:0:0 a:0:1" in page
    assert "more characters)" in page
    notebook.restart()
    notebook.goto(reset=False)
    notebook.page.wait_for_selector("table.lk-still", state="attached")
    notebook.page.wait_for_function("() => !document.body.innerText.includes('Loading widget')")
    area = notebook.page.locator(".jp-OutputArea").nth(1)
    assert "a:0:0 a:0:1" not in area.inner_text()
    assert "finished · 300 of 300" in area.inner_text()
    area.locator("summary").click()
    shown = area.inner_text()
    assert "a:0:0 a:0:1" in shown
    assert "model not found" not in shown
    notebook.pictures("reopened")


def test_a_kernel_restart_leaves_the_text(open_notebook: Open) -> None:
    """When the kernel goes away in mid-run, what was shown stays readable."""
    notebook = open_notebook([setup("restart", "a", rows=2, count=100, delay_s=20.0), "run = plan.start()"])
    notebook.run_all()
    notebook.page.wait_for_function(
        "() => [...document.querySelectorAll('.lk-text')].some((text) => text.textContent.length > 40)"
    )
    notebook.restart()
    notebook.page.wait_for_function(
        "() => jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.status === 'idle'"
    )
    assert "a:0:0 a:0:1" in notebook.page.locator(".jp-OutputArea").nth(1).inner_text()


SCORED = """
import labkit as lk
says = {"a": "  positive", "b": "the message is negative, or so it seems to me at first sight"}
lab = lk.Lab("scored.duckdb", models=[
    lk.Model(f"scripted/{name}", client=lk.Script(lambda request, name=name: says[name], version="1"))
    for name in says
])
target = ["negative", "positive"]
rows = [{"id": f"t{n}", "text": f"text {n}", "target": target[n % 2]} for n in range(9, 0, -1)]
"""
PLAN = """run = lab.plan(
    prompts=[lk.Prompt("ask", "{{ text }}")], models=[%s], dataset=rows, scorers=[lk.contains("target")],
    experiment="%s",
).run()"""


def height(notebook: Any, grid: int) -> int:
    """How high a grid is, in pixels."""
    found: float = (
        notebook.page.locator(".lk-grid").nth(grid).evaluate("(e) => e.getBoundingClientRect().height")
    )
    return int(found)


def test_a_run_that_is_over_folds_to_its_line(open_notebook: Open) -> None:
    """Between `plan.run()` and what comes below it stand a few lines; by keyboard the answers are there, in
    the dataset's order, each marked by a word, and can be hidden again."""
    notebook = open_notebook([SCORED, PLAN % ("'scripted/b', 'scripted/a'", "two")])
    notebook.run_all()
    page = notebook.page
    until(notebook, "finished")
    page.wait_for_function("() => document.querySelector('.lk-all').hidden")
    assert height(notebook, 0) < 90
    page.get_by_role("button", name="show answers").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => !document.querySelector('.lk-all').hidden")
    assert page.get_by_role("button", name="hide answers").get_attribute("aria-expanded") == "true"
    assert [name.split(" · ")[1] for name in list(texts(notebook))[::2]] == [f"t{n}" for n in range(9, 0, -1)]
    heads = page.locator(".lk-model").all_inner_texts()
    assert heads == ["scripted/b", "scripted/a"]
    log = page.get_by_role("log", name="scripted/a, ask@1 · t9")
    assert log.inner_text().split("\n")[:2] == ["✓", "right"]
    assert log.locator(".lk-text").inner_text() == "positive"
    assert page.get_by_role("log", name="scripted/a, ask@1 · t8").locator(".lk-state").inner_text() == "wrong"
    notebook.pictures("answers-open")
    page.keyboard.press("Space")
    page.wait_for_function("() => document.querySelector('.lk-all').hidden")


def test_one_word_answers_are_lines_and_long_ones_cards(open_notebook: Open) -> None:
    """A row of one-word answers is as high as its line; a longer answer is a card, read from its beginning,
    and no border is cut."""
    notebook = open_notebook(
        [SCORED, PLAN % ("'scripted/a'", "short"), PLAN % ("'scripted/b'", "long"), "lk.LiveGrid(run)"]
    )
    notebook.run_all()
    page = notebook.page
    # A run that is over already is open; the two before it are folded.
    page.get_by_role("button", name="hide answers").wait_for()
    for _ in range(2):
        page.get_by_role("button", name="show answers").first.click()
    page.wait_for_function("() => document.querySelectorAll('.lk-row').length === 27")
    heights = (
        "(grid) => [...document.querySelectorAll('.lk-grid')[grid].querySelectorAll('.lk-row')]"
        ".map((row) => row.offsetHeight)"
    )
    assert max(page.evaluate(heights, 0)) <= 30
    assert min(page.evaluate(heights, 1)) > 100
    assert page.evaluate(
        "() => [...document.querySelectorAll('.lk-text')].every((text) => text.scrollTop === 0)"
    )
    page.wait_for_function(
        """() => [...document.querySelectorAll('.lk-table')].every((table) => {
            const right = table.getBoundingClientRect().right;
            return [...table.querySelectorAll('.lk-panel')]
              .every((panel) => panel.getBoundingClientRect().right <= right - 1);
        })"""
    )
    page.get_by_role("log").first.focus()
    page.keyboard.press("Enter")
    assert page.locator(".lk-tall").first.evaluate("(e) => e.offsetHeight") > 100
    notebook.pictures("lines-and-cards")


def test_an_interrupted_run_says_stopped(open_notebook: Open) -> None:
    """After the interrupt button the grid says stopped, counts only what was asked, and says what is left."""
    notebook = open_notebook(
        [setup("interrupted", "a", rows=16, count=4, delay_s=0.5, at_once=2), "run = plan.run()", "run.left"]
    )
    notebook.run(0)
    notebook.run(1, wait=False)
    page = notebook.page
    page.wait_for_selector(".lk-panel[data-state=done]")
    page.evaluate("() => jupyterapp.commands.execute('notebook:interrupt-kernel')")
    until(notebook, "stopped")
    notebook.wait()
    notebook.run(2)
    said = page.locator(".lk-line").inner_text()
    asked, of, unasked, *_ = said.removeprefix("stopped · ").replace(" of ", " · ").split(" · ")
    assert int(asked) + int(unasked.removesuffix(" not asked")) == int(of) == 16
    assert page.locator(".lk-counts").inner_text() == f"{asked} of 16 · {unasked}"
    assert page.locator(".lk-left").inner_text() == eval(notebook.outputs(2)[0]["data"]["text/plain"])


CHAIN = """
import labkit as lk
HOSTILE = "<img src=x onerror=alert(1)> {{ 7 * 7 }}"
def model(name):
    said = lambda request: f"{name} heard {request.messages[-1]['content']}"
    return lk.Model(f"scripted/{name}", client=lk.Script(said, version="1", first_token_s=0.2, delay_s=1.0))
a, b = model("a"), model("b")
chain = lk.Chain("reply", lk.Step("facts", "facts of {{ text }}"), lk.Step("reply", "reply to {{ facts }}"))
lab = lk.Lab("chained.duckdb", models=[a, b])
plan = lab.plan(
    prompts=[chain], models=lk.per_step(facts=[a, b], reply=[b]), dataset=[{"id": "t1", "text": HOSTILE}]
)
"""


def test_a_chain_shows_its_steps(open_notebook: Open) -> None:
    """A panel says which step it is in; in the end the answer stands there, and the step before it, folded,
    opens and closes by the keyboard, as text whatever it says."""
    notebook = open_notebook([CHAIN, "run = plan.start()"])
    notebook.run(0)
    notebook.run(1)
    page = notebook.page
    for step in ("facts, 1 of 2", "reply, 2 of 2"):
        page.wait_for_function(
            "(step) => [...document.querySelectorAll('.lk-state')].some((one) => one.textContent === step)",
            arg=step,
        )
    until(notebook, "finished · 4 of 4 requests")
    hostile = "<img src=x onerror=alert(1)> {{ 7 * 7 }}"
    assert texts(notebook) == {
        "facts: scripted/a, reply: scripted/b, reply@1 · t1": f"b heard reply to a heard facts of {hostile}",
        "scripted/b, reply@1 · t1": f"b heard reply to b heard facts of {hostile}",
    }
    folded = page.locator(".lk-panel .lk-earlier")
    assert folded.evaluate_all("(all) => all.map((one) => one.open)") == [False, False]
    page.locator(".lk-panel").first.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    said = page.locator(".lk-panel .lk-said").first
    assert said.is_visible()
    assert said.text_content() in {f"{name} heard facts of {hostile}" for name in "ab"}
    assert page.locator(".lk-panel").first.get_attribute("class") == "lk-panel"
    page.keyboard.press(" ")
    assert not said.is_visible()
