"""Rating key by key, without a browser: which press counts, what is told, and what is not."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from labkit.errors import StoreError
from labkit.widgets.rating import BLANK, EMPTY, Choice, Progress, Rating, Task
from tests.widgets.told_view import Told

SECRETS = ("g-17af", "openai/gpt-4o", "polite@2", "0.0031", "sample-9")


class Answers:
    """Answers to be rated, each of which bears who wrote it."""

    title, question = "labels of polite", "Is it polite?"

    def __init__(self, *texts: str) -> None:
        self.tasks = [Task((("text", "Hello"),), (("answer", text),), of=SECRETS) for text in texts]
        self.said: list[tuple[str, str, str | None]] = []
        self.fails: Exception | None = None
        self.choices: Sequence[Choice] = (Choice("1", "no", "It is rude."), Choice("2", "yes"))

    def now(self) -> Task | None:
        left = self.tasks[len(self.said) :]
        return left[0] if left else None

    def press(self, task: Task, key: str, note: str | None) -> None:
        if self.fails:
            raise self.fails
        self.said.append((task.answers[0][1], key, note))

    def undo(self) -> bool:
        if self.fails:
            raise self.fails
        return bool(self.said and self.said.pop())

    def progress(self) -> Progress:
        done, total = len(self.said), len(self.tasks)
        words = f"{done} of {total} answers labelled"
        return Progress(done, total, words if done < total else f"all {total} answers are labelled")


@pytest.fixture
def answers() -> Answers:
    """Three answers."""
    return Answers("one", "two", "three")


def test_one_task_after_the_other(answers: Answers) -> None:
    """Each press is kept with its note, and answered with the next task; in the end all is done."""
    view = Told(answers)
    seen = view.hear(kind="hello")
    for key, note in (("1", ""), ("2", " so kind "), ("1", None)):
        assert not seen["over"]
        seen = view.hear(kind="press", key=key, task=seen["task"], note=note, mark=key + str(note))
    assert answers.said == [("one", "1", None), ("two", "2", "so kind"), ("three", "1", None)]
    assert seen["over"]
    assert seen["progress"] == [3, 3, "all 3 answers are labelled"]
    assert seen["answers"] == seen["parts"] == []
    assert view.hear(kind="press", key="1", task=seen["task"])["over"]
    seen = view.hear(kind="undo", task=view.told[-1]["task"])
    assert seen["answers"] == [["answer", "three", False]]
    assert seen["told"] == "Taken back: say it again."


def test_a_press_counts_once(answers: Answers) -> None:
    """Pressed twice, sent twice, late, or from a view that shows another task: it counts once at most."""
    view = Told(answers)
    first = view.hear(kind="hello")["task"]
    view.hear(kind="press", key="1", task=first, mark="a")
    view.hear(kind="press", key="1", task=first, mark="a")
    view.hear(kind="press", key="2", task=first, mark="b")
    view.hear(kind="press", key="2", task="0" * 16, mark="c")
    view.hear(kind="undo", task=first, mark="d")
    assert [said[:2] for said in answers.said] == [("one", "1")]
    assert len({one["task"] for one in view.told}) == 2
    assert [one["number"] for one in view.told] == list(range(1, 7))


def test_tokens_are_never_used_again(answers: Answers) -> None:
    """A task that was taken back has another token than before."""
    view = Told(answers)
    tokens = [view.hear(kind="hello")["task"]]
    for _ in range(20):
        tokens.append(view.hear(kind="press", key="1", task=tokens[-1])["task"])
        tokens.append(view.hear(kind="undo", task=tokens[-1])["task"])
    assert len(set(tokens)) == len(tokens)
    assert answers.said == []


def test_nothing_to_take_back(answers: Answers) -> None:
    """That is said, and nothing else happens."""
    view = Told(answers)
    seen = view.hear(kind="undo", task=view.hear(kind="hello")["task"])
    assert seen["told"] == "There is nothing to take back."
    assert seen["answers"] == [["answer", "one", False]]


@pytest.mark.parametrize("error", [StoreError("No room\nleft."), RuntimeError(SECRETS[0])])
def test_what_could_not_be_written_is_told(answers: Answers, error: Exception) -> None:
    """The task stays and can be said again; words that are not ours are not shown: they may name somebody."""
    view = Told(answers)
    answers.fails = error
    seen = view.hear(kind="press", key="1", task=view.hear(kind="hello")["task"], note="why", mark="a")
    assert seen["trouble"] in ("No room⏎left.", "RuntimeError: it was not kept. Press again.")
    assert seen["task"] == view.told[0]["task"]
    assert view.hear(kind="undo", task=seen["task"], mark="b")["trouble"]
    answers.fails = None
    # The same message once more is no new press.
    assert view.hear(kind="press", key="1", task=seen["task"], mark="a")["task"] == seen["task"]
    assert view.hear(kind="press", key="2", task=seen["task"], mark="c")["trouble"] == ""
    assert answers.said == [("one", "2", None)]


@pytest.mark.parametrize(
    "content",
    [None, [], "press", {}, {"kind": 1}, {"kind": "press"}, {"kind": "press", "key": ["1"], "mark": {}}],
)
def test_nonsense_is_answered_with_the_state(answers: Answers, content: Any) -> None:
    """Whatever a view sends, nothing is said of an answer, and the view knows where it is."""
    view = Told(answers)
    task = view.hear(kind="hello")["task"]
    view._heard(view, content, [])
    for key in ("3", "", None, ["1"], 1, "11"):
        assert view.hear(kind="press", key=key, task=view.told[-1]["task"])["kind"] == "state"
    assert view.hear(kind="press", key="1", task=[task])["answers"] == [["answer", "one", False]]
    assert answers.said == []


def test_hostile_answers_are_text() -> None:
    """Hidden characters are shown, what is empty says so, and what is endless is cut and says so."""
    texts = ["<script>alert(1)</script>", "a\u202eb\x1b[31m", "", " \n", "x" * 1_000_000]
    view = Told(Answers(*texts))
    seen = []
    for _ in texts:
        seen.append(view.hear(kind="hello")["answers"][0])
        view.hear(kind="press", key="1", task=view.told[-1]["task"])
    assert seen[0] == ["answer", "<script>alert(1)</script>", False]
    assert seen[1] == ["answer", "a⟨202E⟩b⟨1B⟩[31m", False]
    assert seen[2:4] == [["answer", EMPTY, True], ["answer", BLANK, True]]
    assert seen[4][1].endswith("… (cut: 800,000 more characters)")


def test_two_answers_and_any_keys() -> None:
    """Two answers side by side, with keys of their own: what the arena needs."""
    arena = Answers("left text")
    arena.tasks = [Task((), (("left", "A"), ("right", "B")))]
    arena.choices = [Choice("3", "tie"), Choice("grade 10", "ten")]
    view = Told(arena)
    seen = view.hear(kind="hello")
    assert seen["answers"] == [["left", "A", False], ["right", "B", False]]
    assert seen["choices"] == [["3", "tie", ""], ["grade 10", "ten", ""]]
    view.hear(kind="press", key="grade 10", task=seen["task"])
    assert arena.said == [("A", "grade 10", None)]


def test_nothing_names_who_answered(answers: Answers) -> None:
    """No message, trait, widget state or MIME bundle holds what a task is of."""
    view = Told(answers)
    view.hear(kind="hello")
    for _ in answers.tasks:
        view.hear(kind="press", key="1", task=view.told[-1]["task"], note="n")
    everything = json.dumps([view.told, view.get_state(), view._repr_mimebundle_(), repr(view)], default=str)
    assert not [secret for secret in SECRETS if secret in everything]
    # Nor is any answer kept in what is saved.
    state = {name: value for name, value in view.get_state().items() if name not in ("_esm", "_css")}
    assert "three" not in json.dumps([state, view._repr_mimebundle_()], default=str)


def test_what_stands_in_the_saved_notebook(answers: Answers) -> None:
    """How much is done, escaped, and how it is used; it follows each press."""
    answers.title = "labels of <b>"
    view = Told(answers)
    view.hear(kind="press", key="1", task=view.hear(kind="hello")["task"])
    data, _ = view._repr_mimebundle_()
    assert data["text/plain"] == "RatingView(labels of <b>)"
    assert "<b>labels of &lt;b&gt;</b>" in data["text/html"]
    assert "1 of 3 answers labelled" in data["text/html"]
    assert "run this cell again" in data["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in data
    assert view.still[1] == "1 of 3 answers labelled"


def test_a_key_that_says_nothing_leaves_the_task(answers: Answers) -> None:
    """A key may do something else, as showing a standing: the same task stays, and what was typed with it."""

    class Peeking(Answers):
        def press(self, task: Task, key: str, note: str | None) -> None:
            self.question = "seen"

    peeking = Peeking("one", "two")
    view = Told(peeking)
    seen = view.hear(kind="hello")
    after = view.hear(kind="press", key="1", task=seen["task"], mark="a")
    assert (after["task"], after["question"]) == (seen["task"], "seen")


def test_two_threads_press_at_once() -> None:
    """Presses of one task that come at once, from many threads, count once."""
    answers = Answers(*map(str, range(50)))
    rating = Rating(answers)
    for number in range(50):
        token = rating.state()["task"]
        barrier = threading.Barrier(4)

        def press(key: str, token: str = token, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            rating.obey({"kind": "press", "key": key, "task": token, "mark": token + key})

        threads = [threading.Thread(target=press, args=(key,)) for key in "1212"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(answers.said) == number + 1


def test_another_hand_moved_on(answers: Answers) -> None:
    """What was said of the task elsewhere, as from a cell, gives the view the next one when it asks."""
    view = Told(answers)
    before = view.hear(kind="hello")["task"]
    answers.said.append(("one", "1", None))
    seen = view.hear(kind="hello")
    assert seen["task"] != before
    assert seen["answers"] == [["answer", "two", False]]
