"""The arena in a real JupyterLab: pairs rated by keyboard alone, blind, each once, and no cell touched."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile import HOSTILE
from rating_keys import PAUSE_S, cells, kept

pytestmark = pytest.mark.browser

Open = Callable[..., Any]
SECRETS = ["kindly", "gruffly", "oddly", "secret-prompt", "7.77131", "31.17177"]
KEPT = (
    "arena._services.store.table('select preferred, \"comment\", peeked, drawn, left_id, right_id '\n"
    "    'from ratings order by rated_at', []).to_pylist()"
)


@pytest.fixture(autouse=True)
def rated(server: Any) -> None:
    """The module that the cells take their arena from."""
    shutil.copy(Path(__file__).with_name("rated.py"), server.work / "rated.py")


def rating(name: str, *, made: str = "arena", more: str = "") -> list[str]:
    """Cells that show an arena."""
    return [f'import rated\narena = rated.{made}("{name}"{more})', "arena"]


def until(notebook: Any, words: str) -> None:
    """Wait until the view says so."""
    notebook.page.wait_for_function(
        "(words) => document.querySelector('.lk-rating')?.textContent.includes(words)", arg=words
    )


def press(notebook: Any, key: str) -> None:
    """Press a key, not so soon after the last that both are one, and wait until it is answered."""
    time.sleep(PAUSE_S)
    notebook.page.keyboard.press(key)
    notebook.page.wait_for_selector(".lk-rating[aria-busy=false]")


def answers(notebook: Any) -> list[str]:
    """The two answers that are shown."""
    found: list[str] = notebook.page.locator(".lk-answer .lk-body-text").all_inner_texts()
    return found


def _text(frame: str | bytes) -> str:
    return frame if isinstance(frame, str) else frame.decode(errors="replace")


def by_tab(notebook: Any) -> None:
    """Go to the view by the keyboard: out of the cell, and on by Tab."""
    notebook.page.keyboard.press("Escape")
    for _ in range(60):
        if notebook.page.evaluate("() => Boolean(document.querySelector('.lk-rating:focus-within'))"):
            return
        notebook.page.keyboard.press("Tab")
    raise AssertionError("no Tab leads to the view")


def test_fifty_pairs_by_keyboard_alone(open_notebook: Open, server: Any) -> None:
    """Fifty ratings, one taken back, one with a note, a skip, the standing, and Esc, without a mouse. Nothing
    in page, messages, console or saved notebook names who answered until the standing is asked for."""
    notebook = open_notebook(rating("keyboard"))
    page = notebook.page
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: heard.append(_text(frame))))
    notebook.save()
    notebook.goto(reset=False)
    notebook.run_all()
    until(notebook, "0 ratings by ada")
    by_tab(notebook)
    seen = answers(notebook)
    press(notebook, "1")
    until(notebook, "1 rating by ada")
    assert answers(notebook) != seen
    press(notebook, "ArrowLeft")
    until(notebook, "Taken back")
    until(notebook, "0 ratings by ada")
    assert answers(notebook) == seen
    press(notebook, "n")
    page.keyboard.type("kinder, 1 2 3")
    page.keyboard.press("Enter")
    until(notebook, "note: kinder, 1 2 3")
    for number in range(1, 50):
        press(notebook, "1234"[number % 4])
        until(notebook, f"{number} rating{'s' * (number > 1)} by ada")
    before = answers(notebook)
    press(notebook, "0")
    until(notebook, "49 ratings by ada, 1 skipped")
    assert answers(notebook) != before
    press(notebook, "Escape")
    page.wait_for_function("() => !document.querySelector('.lk-rating').contains(document.activeElement)")
    notebook.save()
    saved = (server.work / notebook.name).read_text()
    assert "49 ratings by ada, 1 skipped" in saved
    assert "warehouse" not in saved
    assert any("warehouse" in frame for frame in heard), "the messages were not heard"
    assert any("▮" in frame or "\\u25ae" in frame for frame in heard), "no name was masked"
    everything = "\n".join([saved, page.evaluate("() => document.documentElement.outerHTML"), *heard])
    assert [name for name in SECRETS if name in everything.lower()] == []
    by_tab(notebook)
    while not page.evaluate("() => /^show the standing/.test(document.activeElement.textContent)"):
        page.keyboard.press("Tab")
    press(notebook, "Enter")
    until(notebook, "Nobody is shown")
    press(notebook, "1")
    until(notebook, "50 ratings by ada, 1 skipped")
    rows = kept(notebook, KEPT)
    assert [
        name for name in (row[side] for row in rows for side in ("left_id", "right_id")) if name in everything
    ] == []
    assert [row["preferred"] for row in rows].count("skip") == 1
    assert len(rows) == 51
    assert rows[0]["comment"] == "kinder, 1 2 3"
    assert [row["peeked"] for row in rows] == [*[False] * 50, True]


def test_random_keys_touch_no_cell(open_notebook: Open) -> None:
    """Of 300 random keys none inserts, deletes, converts or runs a cell; what is rated is there once."""
    notebook = open_notebook(rating("random", more=", rows=60"))
    notebook.run_all()
    until(notebook, "0 ratings by ada")
    page = notebook.page
    by_tab(notebook)
    before = cells(notebook)
    keys = [
        *"abcdfhijklmopqrstuvwxyz0123456789",
        "d",
        "d",
        "x",
        "m",
        "y",
        "Enter",
        "Shift+Enter",
        "Control+Enter",
    ]
    keys += [
        "Alt+Enter",
        "Delete",
        "Backspace",
        "ArrowLeft",
        "ArrowUp",
        "ArrowDown",
        "Escape",
        "Tab",
        "Shift+Tab",
    ]
    keys += ["Space", "Shift+M", "Control+z", "Home", "End", "PageDown", "n"]
    chosen = random.Random(5)
    for _ in range(300):
        if not page.evaluate("() => document.querySelector('.lk-rating').contains(document.activeElement)"):
            page.evaluate("() => document.querySelector('.lk-rating').focus()")
        page.keyboard.press(chosen.choice(keys))
    page.wait_for_selector(".lk-rating[aria-busy=false]")
    assert cells(notebook) == before
    told = page.evaluate("() => document.querySelector('.lk-done').textContent.match(/(\\d+) rating/)[1]")
    rows = kept(notebook, KEPT)
    assert sum(row["preferred"] != "skip" for row in rows) == int(told)


def test_a_restarted_kernel_shows_the_same_pair(open_notebook: Open) -> None:
    """After a restart the same answers are on the same sides, and what was said last can be taken back."""
    notebook = open_notebook(rating("restarted"))
    notebook.run_all()
    until(notebook, "0 ratings by ada")
    by_tab(notebook)
    first = answers(notebook)
    press(notebook, "1")
    until(notebook, "1 rating by ada")
    shown = answers(notebook)
    notebook.restart()
    notebook.run_all()
    until(notebook, "1 rating by ada")
    assert answers(notebook) == shown
    by_tab(notebook)
    press(notebook, "Backspace")
    until(notebook, "0 ratings by ada")
    assert answers(notebook) == first
    assert kept(notebook, KEPT) == []


def test_hostile_answers_are_text(open_notebook: Open) -> None:
    """Scripts, pictures, styles, marks that turn text, a million characters, nothing: all shown as text."""
    notebook = open_notebook(rating("hostile", made="hostile"))
    notebook.run_all()
    until(notebook, "0 ratings by ada")
    by_tab(notebook)
    seen = set[str]()
    for number in range(1, 15):
        shown = answers(notebook)
        assert any(text.startswith("plain ") for text in shown)
        seen.update(shown)
        press(notebook, "2")
        until(notebook, "Nothing is left" if number == 14 else f"{number} rating")
    assert {text for text in HOSTILE if text.isprintable()} <= seen
    assert any("turned⟨202E⟩ back⟨2066⟩ zero⟨200B⟩width ⟨1B⟩[31mred" in text for text in seen)
    assert {"(empty answer)", "(nothing but blanks)"} <= seen
    assert any("(cut: 800,000 more characters)" in text for text in seen)


@pytest.mark.parametrize("width", [1400, 700])
def test_pictures(open_notebook: Open, width: int) -> None:
    """As it looks in both themes, wide and narrow: a pair, with the standing, and when all is rated."""
    notebook = open_notebook(rating(f"pictures-{width}", more=", rows=4"), size=(width, 1000))
    notebook.run_all()
    until(notebook, "0 ratings by ada")
    by_tab(notebook)
    for _ in range(11):
        press(notebook, "1")
    notebook.pictures(f"arena-{width}-pair")
    by_tab(notebook)
    notebook.page.get_by_role("button", name="show the standing").click()
    until(notebook, "Nobody is shown")
    notebook.pictures(f"arena-{width}-standing")
    by_tab(notebook)
    press(notebook, "3")
    until(notebook, "Nothing is left to rate")
    notebook.pictures(f"arena-{width}-over")
    assert notebook.errors() == []
