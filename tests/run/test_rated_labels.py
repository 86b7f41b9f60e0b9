"""Labels given key by key: what is on disk after each press, and that nothing names who answered."""

from __future__ import annotations

import json
from typing import Any

import pytest

import labkit as lk
from labkit.errors import StoreError
from labkit.run.labelling import Labelling
from labkit.run.rated_labels import RatedLabels
from labkit.widgets.rating import Rating

MODELS = ("scripted/kind-one", "scripted/rude-ones")
GRADES = {"no": 0.0, "partly": 0.5, "yes": 1.0}


@pytest.fixture
def labelling(lab: Any) -> Labelling:
    """Ten samples that two models answered, to be labelled."""
    models = [
        lk.Model(
            name,
            client=lk.Script(lambda r, name=name: f"{len(name)}: {r.messages[-1]['content']}", version="1"),
        )
        for name in MODELS
    ]
    run = lab.plan(
        prompts=[lk.Prompt("secret-prompt", "Reply to {{ text }}")],
        models=models,
        dataset=[{"id": f"sample-{n}", "text": f"q{n}"} for n in range(10)],
    ).run()
    return run.label("polite", n=10, grades=GRADES)


def stored(labelling: Labelling) -> list[dict[str, Any]]:
    """What the lab has of labels that hold."""
    found: list[dict[str, Any]] = labelling._store.table(
        "select generation_id, grade, comment from labels order by labelled_at", []
    ).to_pylist()
    return found


def test_each_key_says_its_grade(labelling: Labelling) -> None:
    """1, 2 and 3 are the grades in their order, 0 is that it cannot be told; each is on disk before the next
    is shown, with its note."""
    rating = Rating(RatedLabels(labelling))
    state = rating.state()
    assert [one[:2] for one in state["choices"]] == [
        ["1", "no"], ["2", "partly"], ["3", "yes"], ["0", "cannot tell"],
    ]  # fmt: skip
    assert state["progress"] == [0, 20, "0 of 20 answers labelled"]
    assert state["parts"] == [["text", labelling.left[0].parts[0].text]]
    for number, key in enumerate("1230", 1):
        state = rating.obey({"kind": "press", "task": state["task"], "key": key, "note": f"note {key}"})
        assert len(stored(labelling)) == number
        assert state["progress"][2] == f"{number} of 20 answers labelled"
    assert [row["grade"] for row in stored(labelling)] == ["no", "partly", "yes", "cannot tell"]
    assert [row["comment"] for row in stored(labelling)] == ["note 1", "note 2", "note 3", "note 0"]


def test_taking_back_opens_the_same_answer(labelling: Labelling) -> None:
    """Undo withdraws the last label, also after all are given, and shows its answer again."""
    rating = Rating(RatedLabels(labelling))
    state = rating.state()
    shown = []
    while not state["over"]:
        shown.append(state["answers"][0][1])
        state = rating.obey({"kind": "press", "task": state["task"], "key": "3"})
    assert len(set(shown)) == len(shown) == len(stored(labelling)) == 20
    assert state["progress"][2] == "all 20 answers are labelled"
    state = rating.obey({"kind": "undo", "task": state["task"]})
    assert state["answers"][0][1] == shown[-1]
    state = rating.obey({"kind": "undo", "task": state["task"]})
    assert state["answers"][0][1] == shown[-2]
    assert len(stored(labelling)) == 18


def test_a_restarted_kernel_goes_on_where_it_was(labelling: Labelling, lab: Any) -> None:
    """Another labelling of the same run shows what the first was at, and can take back its last label."""
    rating = Rating(RatedLabels(labelling))
    state = rating.obey({"kind": "press", "task": rating.state()["task"], "key": "1"})
    first = stored(labelling)
    again = Rating(RatedLabels(lab.run("latest").label("polite", n=10, grades=GRADES)))
    assert again.state()["answers"] == state["answers"]
    again.obey({"kind": "undo", "task": again.state()["task"]})
    assert len(first) == 1
    assert stored(labelling) == []


def test_a_label_that_is_not_written_is_told(labelling: Labelling, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is told in its own words; the answer stays, and no label is counted."""
    rating = Rating(RatedLabels(labelling))
    before = rating.state()

    def full() -> Any:
        raise StoreError("No room is left.")

    with monkeypatch.context() as patched:
        patched.setattr(labelling._store, "writer", full)
        state = rating.obey({"kind": "press", "task": before["task"], "key": "1"})
    assert state["trouble"] == "No room is left."
    assert state["answers"] == before["answers"]
    assert state["progress"][0] == 0
    state = rating.obey({"kind": "press", "task": state["task"], "key": "1"})
    assert (state["trouble"], state["progress"][0], len(stored(labelling))) == ("", 1, 1)


def test_nothing_says_who_answered(labelling: Labelling) -> None:
    """No message names a generation, a sample, a model or a prompt; nor does what is saved."""
    rating = Rating(RatedLabels(labelling))
    told = [rating.state()]
    for _ in range(20):
        told.append(rating.obey({"kind": "press", "task": told[-1]["task"], "key": "1", "note": "x"}))
    everything = json.dumps([told, labelling._view._repr_mimebundle_(), repr(labelling)], default=str)
    ids = [one for task in labelling.tasks for one in (*task.of, f'"{task.sample_id}"')]
    assert not [one for one in [*ids, "kind-one", "rude-one", "secret-prompt"] if one in everything]


def test_it_is_shown_in_a_notebook(labelling: Labelling, monkeypatch: pytest.MonkeyPatch) -> None:
    """It displays one widget, however often; headless it has a plain repr."""
    shown: list[Any] = []
    monkeypatch.setattr(type(labelling._view), "show", lambda view: shown.append(view))
    labelling._ipython_display_()
    labelling._ipython_display_()
    assert shown == [labelling._view] * 2
    assert repr(labelling).startswith("Labelling('polite', 0 of 20 answers labelled by ")


def test_a_task_stays_until_it_is_labelled(labelling: Labelling) -> None:
    """Its token is the same in all views until it is labelled, and a new one when it is taken back."""
    rating = Rating(RatedLabels(labelling))
    tokens = [rating.state()["task"], rating.obey({"kind": "hello"})["task"]]
    assert len(set(tokens)) == 1
    said = rating.obey({"kind": "press", "task": tokens[0], "key": "1"})
    back = rating.obey({"kind": "undo", "task": said["task"]})
    assert len({tokens[0], said["task"], back["task"]}) == 3


def test_many_grades(lab: Any, labelling: Labelling) -> None:
    """Past the ninth a grade has a button and no key."""
    grades = {f"g{n}": float(n) for n in range(1, 12)}
    rating = Rating(RatedLabels(lab.run("latest").label("eleven", n=10, grades=grades)))
    keys = [one[0] for one in rating.state()["choices"]]
    assert keys == [*"123456789", "grade 10", "grade 11", "0"]
    rating.obey({"kind": "press", "task": rating.state()["task"], "key": "grade 11"})
    assert stored(labelling)[0]["grade"] == "g11"
