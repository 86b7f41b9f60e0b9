"""Labels given in a real JupyterLab: by keyboard, by mouse, blind, each kept once, and no cell is touched."""

from __future__ import annotations

import json
import random
import string
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from labelled import ASKED, GRADES, MODELS, PROMPT, REPLIES
from rating_keys import PAUSE_S, cells, kept

pytestmark = pytest.mark.browser

Open = Callable[..., Any]
BEGIN = "from labelled import GRADES, hostile, run"
KEPT = (
    'labels._store.table("select generation_id, grade, comment from labels order by labelled_at", [])'
    ".to_pylist()"
)
NAMES = [f"row-{n:03}" for n in range(5)] + ["kindly", "gruffly", PROMPT, "7.77131", "31.17177", "openai/"]


def labelling(name: str, *, made: str = "run", n: int = 5) -> list[str]:
    """Cells that show the labels of a run."""
    return [BEGIN, f'labels = {made}("{name}").label("polite", n={n}, grades=GRADES)', "labels"]


def until(notebook: Any, words: str, view: int = 0) -> None:
    """Wait until a view says how far it is, or that it is done."""
    notebook.page.wait_for_function(
        """([words, view]) => {
            const text = document.querySelectorAll('.lk-rating')[view]?.textContent || '';
            return text.includes(words) && !text.includes('run this cell again');
        }""",
        arg=[words, view],
    )


def press(notebook: Any, key: str) -> None:
    """Press a key, not so soon after the last that both are one."""
    time.sleep(PAUSE_S)
    notebook.page.keyboard.press(key)


def answer(notebook: Any, view: int = 0) -> str:
    """The answer that a view shows."""
    text: str = notebook.page.locator(".lk-rating").nth(view).locator(".lk-answer .lk-body-text").inner_text()
    return text


def ready(notebook: Any) -> Any:
    """Run all, and give the keys to the first view by a click."""
    notebook.run_all()
    until(notebook, "answers labelled")
    notebook.page.locator(".lk-question").first.click()
    notebook.page.wait_for_selector(".lk-rating:focus-within")
    return notebook.page


def looks(notebook: Any, name: str) -> None:
    """Keep pictures of the first view in both themes, in which axe finds nothing."""
    for theme in ("Dark", "Light"):
        notebook.theme(f"JupyterLab {theme}")
        found = Axe().run(notebook.page, context=".lk-rating").response["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
        notebook.picture(f"{name}-{theme.lower()}", selector=".lk-rating")
    root = notebook.page.locator(".lk-rating")
    assert root.evaluate("(root) => root.scrollWidth - root.clientWidth") <= 0


def test_ten_answers_by_keyboard_alone(open_notebook: Open, server: Any) -> None:
    """Ten answers, with a note and a label taken back: each press is kept once. Nothing in page, messages,
    console or saved notebook names who answered."""
    notebook = open_notebook(labelling("keyboard"))
    page = notebook.page
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: heard.append(str(frame))))
    notebook.save()
    notebook.goto(reset=False)
    ready(notebook)
    until(notebook, "0 of 10 answers labelled")
    seen = [answer(notebook)]
    press(notebook, "1")
    until(notebook, "1 of 10 answers")
    assert answer(notebook) != seen[0]
    press(notebook, "n")
    page.keyboard.type("kind, 1 2 3")
    page.keyboard.press("Enter")
    until(notebook, "note: kind, 1 2 3")
    press(notebook, "3")
    until(notebook, "2 of 10 answers")
    press(notebook, "ArrowLeft")
    until(notebook, "Taken back")
    until(notebook, "1 of 10 answers")
    press(notebook, "n")
    page.keyboard.type("no more")
    page.keyboard.press("Escape")
    until(notebook, "1 of 10 answers")
    for number in range(2, 11):
        press(notebook, "2")
        until(notebook, f"{number} of 10 answers" if number < 10 else "all 10 answers are labelled")
    press(notebook, "Backspace")
    until(notebook, "9 of 10 answers")
    press(notebook, "0")
    until(notebook, "all 10 answers are labelled")
    notebook.save()
    saved = (server.work / notebook.name).read_text()
    assert "all 10 answers are labelled" in saved
    assert "Thank you for writing" not in saved
    assert any("Thank you for writing" in frame for frame in heard), "the messages were not heard"
    labels = kept(notebook, KEPT)
    everything = "\n".join([saved, page.evaluate("() => document.documentElement.outerHTML"), *heard])
    before = everything.replace(str(labels), "")
    assert [name for name in NAMES if name in before] == []
    assert [row["grade"] for row in labels] == ["no", *["partly"] * 8, "cannot tell"]
    assert len({row["generation_id"] for row in labels}) == 10
    assert {row["comment"] for row in labels} == {None}


def test_no_generation_is_named(open_notebook: Open, server: Any) -> None:
    """Page, messages and saved notebook hold no generation_id while answers are labelled."""
    notebook = open_notebook(labelling("unnamed"))
    heard: list[str] = []
    notebook.page.on(
        "websocket", lambda socket: socket.on("framereceived", lambda frame: heard.append(str(frame)))
    )
    notebook.save()
    notebook.goto(reset=False)
    ready(notebook)
    for number in range(1, 4):
        press(notebook, str(number))
        until(notebook, f"{number} of 10 answers")
    notebook.save()
    page = notebook.page.evaluate("() => document.documentElement.outerHTML")
    everything = "\n".join([(server.work / notebook.name).read_text(), page, *heard])
    cell = notebook.add("[one for task in labels.tasks for one in task.of]")
    notebook.run(cell)
    ids = eval(notebook.outputs(cell)[0]["data"]["text/plain"])
    assert len(ids) == 10
    assert [one for one in ids if one in everything] == []


def test_esc_leaves_and_keys_elsewhere_do_nothing_here(open_notebook: Open) -> None:
    """After Esc, or in a cell, no key says anything; `go on` gives the keys back."""
    notebook = open_notebook(labelling("leaving"))
    page = ready(notebook)
    press(notebook, "1")
    until(notebook, "1 of 10 answers")
    press(notebook, "Escape")
    page.wait_for_function("() => !document.querySelector('.lk-rating').contains(document.activeElement)")
    for key in ("1", "n", "0", "ArrowLeft"):
        press(notebook, key)
    page.locator(".jp-CodeCell .cm-content").first.click()
    for key in ("1", "2", "Backspace", "Backspace"):
        press(notebook, key)
    assert not page.locator(".lk-field").is_visible()
    until(notebook, "1 of 10 answers")
    page.get_by_role("button", name="go on").click()
    press(notebook, "2")
    until(notebook, "2 of 10 answers")
    assert [row["grade"] for row in kept(notebook, KEPT)] == ["no", "partly"]


def test_a_double_press_is_one(open_notebook: Open) -> None:
    """A key pressed twice at once, held down, or clicked twice says one thing."""
    notebook = open_notebook(labelling("double"))
    page = ready(notebook)
    page.keyboard.press("1")
    page.keyboard.press("1")
    until(notebook, "1 of 10 answers")
    time.sleep(PAUSE_S)
    for _ in range(8):
        page.keyboard.down("2")  # the second and later ones are repeats
        time.sleep(PAUSE_S / 2)
    page.keyboard.up("2")
    until(notebook, "2 of 10 answers")
    time.sleep(PAUSE_S)
    page.get_by_role("button", name="yes").dblclick()
    until(notebook, "3 of 10 answers")
    assert [row["grade"] for row in kept(notebook, KEPT)] == ["no", "partly", "yes"]


def test_random_keys_touch_no_cell(open_notebook: Open) -> None:
    """Of 300 random keys none inserts, deletes, converts or runs a cell; what is labelled is there once."""
    notebook = open_notebook(labelling("random"))
    page = ready(notebook)
    before = cells(notebook)
    named = (
        "Enter Shift+Enter Control+Enter Alt+Enter Delete Backspace Escape Space Tab Shift+Tab Home End"
        " PageDown ArrowUp ArrowDown ArrowLeft ArrowRight Shift+M Shift+J Control+Shift+- Control+z d d x m y"
    )
    keys = [*string.ascii_lowercase, *string.digits, *named.split()]
    chosen = random.Random(7)
    for _ in range(300):
        if not page.evaluate("() => document.querySelector('.lk-rating').contains(document.activeElement)"):
            page.evaluate("() => document.querySelector('.lk-rating').focus()")
        page.keyboard.press(chosen.choice(keys))
    page.wait_for_selector(".lk-rating[aria-busy=false]")
    assert cells(notebook) == before
    done = page.evaluate(
        "() => document.querySelector('.lk-rating').textContent.match(/(\\d+) (of|answers)/)[1]"
    )
    labels = kept(notebook, KEPT)
    assert len(labels) == len({row["generation_id"] for row in labels}) == int(done)
    cell = notebook.add("labels._store.table('select count(*) as rows from log.labels', []).to_pylist()")
    notebook.run(cell)
    assert eval(notebook.outputs(cell)[0]["data"]["text/plain"])[0]["rows"] > 0


def test_by_mouse_and_by_screen_reader(open_notebook: Open) -> None:
    """Every act has a button with a name; a click leaves the keys here."""
    notebook = open_notebook(labelling("mouse"))
    notebook.run_all()
    until(notebook, "0 of 10 answers")
    page = notebook.page
    snapshot = page.locator(".lk-rating").aria_snapshot()
    for there in (
        'region "labels of polite"',
        "status: 0 of 10 answers labelled",
        'heading "polite"',
        'group "message"',
        'group "answer"',
        *(f'button "{grade}"' for grade in (*GRADES, "cannot tell", "note", "take back")),
    ):
        assert there in snapshot, snapshot
    page.get_by_role("button", name="note").click()
    page.get_by_label("note on this task").fill("by mouse")
    page.get_by_role("button", name="partly").click()
    until(notebook, "1 of 10 answers")
    page.keyboard.press("Tab")
    press(notebook, "1")
    until(notebook, "2 of 10 answers")
    time.sleep(PAUSE_S)
    page.get_by_role("button", name="take back").click()
    until(notebook, "Taken back")
    assert [(row["grade"], row["comment"]) for row in kept(notebook, KEPT)] == [("partly", "by mouse")]


def test_two_views_and_a_reload_agree(open_notebook: Open) -> None:
    """Two views show one task, and a press in one moves both; a page that is loaded again is where it was."""
    notebook = open_notebook([*labelling("views"), "labels"])
    ready(notebook)
    until(notebook, "0 of 10 answers", view=1)
    press(notebook, "1")
    until(notebook, "1 of 10 answers", view=1)
    assert answer(notebook, 0) == answer(notebook, 1)
    there = answer(notebook)
    notebook.save()
    notebook.goto(reset=False)
    for view in (0, 1):
        until(notebook, "1 of 10 answers", view)
        assert answer(notebook, view) == there
    notebook.page.locator(".lk-question").nth(1).click()
    press(notebook, "2")
    until(notebook, "2 of 10 answers", view=0)
    assert [row["grade"] for row in kept(notebook, KEPT)] == ["no", "partly"]


def test_it_answers_while_a_cell_runs(open_notebook: Open) -> None:
    """A cell that runs does not keep a label waiting."""
    notebook = open_notebook([*labelling("busy"), "import time; time.sleep(8)"])
    for cell in (0, 1, 2):
        notebook.run(cell)
    until(notebook, "0 of 10 answers")
    notebook.run(3, wait=False)
    notebook.page.locator(".lk-question").click()
    press(notebook, "1")
    until(notebook, "1 of 10 answers")
    assert notebook.busy()
    notebook.wait()


def test_what_cannot_be_written_is_told(open_notebook: Open) -> None:
    """Where the lab cannot be written it says so; answer and note stay, and can be said again."""
    broken = (
        "from labkit.errors import StoreError\n"
        "kept, labels._put = labels._put, None\n"
        "def _full(rows): raise StoreError('No room is left on the disk.')\n"
        "labels._put = _full"
    )
    notebook = open_notebook([*labelling("full"), broken, "labels._put = kept"])
    for cell in (0, 1, 2, 3):
        notebook.run(cell)
    until(notebook, "0 of 10 answers")
    notebook.page.locator(".lk-question").click()
    there = answer(notebook)
    press(notebook, "n")
    notebook.page.keyboard.type("stays")
    notebook.page.keyboard.press("Enter")
    press(notebook, "1")
    until(notebook, "No room is left on the disk.")
    until(notebook, "note: stays")
    assert answer(notebook) == there
    looks(notebook, "labelling-trouble")
    notebook.run(4)
    notebook.page.locator(".lk-question").click()
    press(notebook, "1")
    until(notebook, "1 of 10 answers")
    assert "No room" not in notebook.page.locator(".lk-rating").inner_text()
    assert [row["comment"] for row in kept(notebook, KEPT)] == ["stays"]


def test_hostile_answers_are_shown_as_text(open_notebook: Open) -> None:
    """Scripts, turned text, an empty and an endless answer: all text, in a box that j and k scroll."""
    notebook = open_notebook(labelling("hostile", made="hostile", n=7))
    page = ready(notebook)
    until(notebook, "0 of 14 answers")
    seen = []
    for number in range(1, 15):
        seen.append(page.locator(".lk-answer .lk-body-text").text_content())
        box = page.locator(".lk-answer .lk-body-text").bounding_box()
        assert box["height"] <= 600
        if len(seen[-1]) > 10_000:
            press(notebook, "j")
            page.wait_for_function("() => document.querySelector('.lk-answer .lk-body-text').scrollTop > 0")
            press(notebook, "k")
            page.wait_for_function("() => document.querySelector('.lk-answer .lk-body-text').scrollTop === 0")
        press(notebook, "1")
        until(notebook, f"{number} of 14 answers" if number < 14 else "all 14 answers are labelled")
    assert {"(empty answer)", "(nothing but blanks)", "<img src=x onerror=alert(1)>"} <= set(seen)
    assert any("turned⟨202E⟩ back" in text for text in seen)
    assert any(text.endswith("… (cut: 800,000 more characters)") for text in seen)
    assert (
        page.evaluate("() => document.querySelectorAll('.lk-rating :is(img, script, iframe, svg)').length")
        == 0
    )


def test_saved_and_reopened_without_a_kernel(open_notebook: Open, server: Any) -> None:
    """The saved notebook says how much is labelled and how it is used, and no answer."""
    notebook = open_notebook(labelling("saved"))
    ready(notebook)
    press(notebook, "1")
    until(notebook, "1 of 10 answers")
    notebook.save()
    path: Path = server.work / notebook.name
    outputs = json.loads(path.read_text())["cells"][2]["outputs"]
    assert "1 of 10 answers labelled" in json.dumps(outputs)
    assert outputs[0]["data"]["text/plain"] == ["RatingView(labels of polite)"]
    assert not [one for one in (*REPLIES.values(), ASKED[:20], *MODELS) if one in path.read_text()]
    notebook.restart()
    notebook.goto(reset=False)
    notebook.page.wait_for_function(
        "() => document.querySelectorAll('.jp-OutputArea')[2]?.innerText.includes('1 of 10 answers labelled')"
    )
    assert "run this cell again" in notebook.page.locator(".jp-OutputArea").nth(2).inner_text()


@pytest.mark.parametrize("width", [1400, 700])
def test_two_answers_side_by_side(open_notebook: Open, width: int) -> None:
    """Two answers and keys of their own: beside each other where there is room, scrolled together."""
    notebook = open_notebook(["from labelled import pairs", "view = pairs()\nview"], size=(width, 1000))
    notebook.run_all()
    until(notebook, "0 of 4 pairs rated")
    page = notebook.page
    if width < 1000:
        page.evaluate("() => jupyterapp.commands.execute('application:toggle-left-area')")
    page.locator(".lk-question").click()
    left, right = (page.locator(".lk-answer").nth(n) for n in (0, 1))
    looks(notebook, f"pairs-{width}")
    press(notebook, "3")
    until(notebook, "1 of 4 pairs rated")
    looks(notebook, f"pairs-long-{width}")
    beside = right.bounding_box()["x"] > left.bounding_box()["x"] + 100
    assert beside == (width > 1000)
    press(notebook, "j")
    page.wait_for_function("() => document.querySelectorAll('.lk-body-text')[2].scrollTop > 0")
    for number, key in enumerate("124", 2):
        press(notebook, key)
        until(notebook, f"{number} of 4 pairs rated" if number < 4 else "all pairs are rated")
    looks(notebook, f"pairs-done-{width}")
    cell = notebook.add("[key for key, note in view._rating.rated.said]")
    notebook.run(cell)
    assert notebook.outputs(cell)[0]["data"]["text/plain"] == "['3', '1', '2', '4']"


def test_wherever_the_focus_is_here_no_cell_is_touched(open_notebook: Open) -> None:
    """On the whole, on a text, on a button, in the note: keys that mean much to JupyterLab mean nothing."""
    notebook = open_notebook(["from labelled import pairs", "view = pairs()\nview"])
    notebook.run_all()
    until(notebook, "0 of 4 pairs rated")
    before = cells(notebook)
    page = notebook.page
    for place in (".lk-rating", ".lk-body-text", ".lk-choice", ".lk-plain", ".lk-field"):
        for key in ("b", "a", "d", "d", "x", "m", "y", "r", "Shift+Enter", "Alt+Enter", "Control+Enter"):
            page.evaluate("(place) => document.querySelector(place).focus()", place)
            if place in (".lk-choice", ".lk-plain") and key.endswith("Enter"):
                continue  # they press the button
            press(notebook, "n") if place == ".lk-field" else None
            page.keyboard.press(key)
    assert cells(notebook) == before
    until(notebook, "0 of 4 pairs rated")


@pytest.mark.parametrize("width", [1400, 700])
def test_how_it_looks(open_notebook: Open, width: int) -> None:
    """Pictures, wide and narrow, in both themes: in use, with a note, and left."""
    notebook = open_notebook(labelling(f"looks-{width}"), size=(width, 1000))
    page = ready(notebook)
    if width < 1000:
        page.evaluate("() => jupyterapp.commands.execute('application:toggle-left-area')")
        page.locator(".lk-question").click()
    press(notebook, "2")
    until(notebook, "1 of 10 answers")
    looks(notebook, f"labelling-{width}")
    press(notebook, "n")
    page.keyboard.type("friendly, and it says when")
    looks(notebook, f"labelling-note-{width}")
    page.keyboard.press("Enter")
    until(notebook, "note: friendly")
    press(notebook, "Escape")
    notebook.pictures(f"labelling-left-{width}")
