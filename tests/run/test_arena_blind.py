"""Before a rating nothing that leaves the arena names who answered: messages, state, MIME bundle, words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labkit as lk
from tests.run.arena_runs import MODELS, NAMES, run
from tests.widgets.told_view import Told

USERS = iter(range(1_000_000))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run of models that say who they are, in two prompts."""
    lab = lk.Lab(tmp_path_factory.mktemp("blind") / "lab.duckdb")

    def named(name: str) -> Any:
        return lambda r: (
            f"{name.upper()} ({name} of scripted/{name}) says {'abc'[NAMES.index(name)]}{r.messages[-1]}"
        )

    prompts = [lk.Prompt(name, "Reply to {{ message }}") for name in ("secret-prompt", "other_prompt")]
    return run(lab, {name: named(name) for name in NAMES}, prompts=prompts)


def secrets(ran: Any) -> list[str]:
    """What may be in nothing that leaves."""
    ids = ran.generations(columns=["generation_id"])["generation_id"].tolist()
    return [
        *MODELS,
        *NAMES,
        *map(str.upper, NAMES),
        "secret-prompt",
        "other_prompt",
        "7.77131",
        "31.17177",
        *ids,
    ]


@settings(max_examples=25)
@given(
    by=st.sampled_from(["model", "prompt", ["prompt", "model"]]),
    acts=st.lists(st.sampled_from([*"12340", "undo", "hello", "twice", "bad"]), max_size=12),
    seed=st.integers(0, 99),
)
def test_nothing_names_who_answered(ran: Any, by: Any, acts: list[str], seed: int) -> None:
    """Whatever is pressed, no message, no state, no MIME bundle and no repr has an id, a name or a price."""
    if by == "prompt":
        by = ["prompt", "model"]  # by prompt alone all answers are equal here
    arena = lk.Arena(ran, by=by, user=f"rater {next(USERS)}", seed=seed)
    view = Told(arena)
    state = view.hear(kind="hello")
    for number, act in enumerate(acts):
        key = {"twice": "1", "bad": "9"}.get(act, act)
        wanted = {"kind": act if act in ("undo", "hello") else "press", "key": key, "task": state["task"]}
        for _ in range(2 if act == "twice" else 1):
            state = view.hear(**wanted, mark=f"m{number}", note="kind")
    left = [
        *map(json.dumps, view.told), str(view.get_state()), str(view._repr_mimebundle_()), repr(view),
        str(view), repr(arena), str(arena), str(arena.progress()), str(arena.choices), arena.title,
        arena.arena_id, repr(arena.now()), view.still[0],
    ]  # fmt: skip
    found = [secret for secret in secrets(ran) for text in left if secret in text]
    assert found == []
    assert "▮" in json.dumps(view.told, ensure_ascii=False)


def test_what_is_shown_in_a_cell_names_nobody(ran: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a cell's output has, also as it stands in for the view in a saved notebook."""
    import IPython.display

    shown: list[Any] = []
    monkeypatch.setattr(IPython.display, "display", lambda *what, **how: shown.append((what, how)))
    arena = lk.Arena(ran, user="shown")
    arena._ipython_display_()
    bundle = arena._view._repr_mimebundle_()
    texts = [str(shown), str(bundle), *(str(vars(one)) for one in arena._view._standing)]
    assert "Blind pairs of answers" in str(bundle)
    assert [secret for secret in secrets(ran) for text in texts if secret in text] == []


def test_an_error_names_nobody(ran: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong in a press is told without the words of the error, which may name who answered."""
    arena = lk.Arena(ran, user="failing")
    view = Told(arena)
    state = view.hear(kind="hello")
    monkeypatch.setattr(
        arena, "_put", lambda record: (_ for _ in ()).throw(ValueError(f"no {MODELS} {record}"))
    )
    state = view.hear(kind="press", key="1", task=state["task"], mark="m")
    assert "ValueError" in state["trouble"]
    assert [secret for secret in secrets(ran) if secret in json.dumps(view.told)] == []
