"""Prompts get each version number once; samples are kept once and come back."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from labkit.datasets import load
from labkit.prompts import Block, Prompt
from labkit.store import Store

Put = Callable[..., None]


def test_versions_count_the_texts_under_a_name(store: Store) -> None:
    """New content under a name gets the next number; content that was there keeps its own."""
    first = store.save_prompt(Prompt("triage", "One {{ x }}"))
    second = store.save_prompt(Prompt("triage", "Two {{ x }}"))
    again = store.save_prompt(Prompt("triage", "One {{ x }}"))
    other = store.save_prompt(Prompt("other", "One {{ x }}"))
    assert [p.version for p in (first, second, again, other)] == [1, 2, 1, 1]
    assert [
        p.version
        for p in store.save_prompts(
            [Prompt("triage", "Three"), Prompt("triage", "Three"), Prompt("triage", "Two {{ x }}")]
        )
    ] == [3, 3, 2]
    frame = store.prompts(prompt="triage")
    assert frame["version"].tolist() == [1, 2, 3]


def test_saved_prompts_come_back_equal(store: Store) -> None:
    """System part, blocks in their order, defaults and description survive, whatever text they hold."""
    made = Prompt(
        "full",
        "Answer {{ q }} 'x' \"y\" \\ 😀",
        system="Be brief.",
        blocks=[Block("b", "second"), Block("a", "first; drop table log.prompts")],
        defaults={"q": 1.5},
        description="about",
    )
    store.save_prompt(made, user="me")
    (back,) = store.saved_prompts("full")
    assert back == made
    assert (back.hash, back.version, back.description) == (made.hash, 1, "about")
    assert [block.name for block in back.blocks] == ["b", "a"]
    assert store.saved_prompts("nosuch") == []
    assert store.table("select hash from blocks order by name")["hash"].to_pylist() == [
        b.hash for b in reversed(made.blocks)
    ]


def test_saving_what_is_there_writes_nothing(store: Store, path: Path) -> None:
    """A prompt the lab has is not journalled again, also while the lab can only be read."""
    store.save_prompt(Prompt("p", "text"))
    store.checkpoint()
    store.close()
    with duckdb.connect(str(path), read_only=True):
        assert store.save_prompt(Prompt("p", "text")).version == 1
        assert store._shared.access.progress.unfolded() == []
    assert store.table("select count(*) as n from log.prompts")["n"].to_pylist() == [1]


def test_a_number_is_given_once_while_the_lab_can_only_be_read(
    store: Store, path: Path, python: Callable[..., subprocess.Popen[str]]
) -> None:
    """Beside a read-only connection two processes, and two openings of one, give each number once."""
    store.save_prompt(Prompt("shared", "text"))
    store.checkpoint()
    with duckdb.connect(str(path), read_only=True):
        others = [python(SAVE, path, who) for who in ("a", "b")]
        with store.one_opening():
            mine = [store.save_prompt(Prompt("shared", f"mine {number}")).version for number in range(3)]
        theirs = [int(line) for one in others for line in one.communicate()[0].split()]
        assert sorted([*mine, *theirs]) == list(range(2, 13))
        with store.one_opening():
            assert store.save_prompt(Prompt("shared", "mine 0")).version == mine[0]
            assert store.save_prompt(Prompt("shared", "last")).version == 13
    store.fold()
    versions = store.table("select version from log.prompts order by version")["version"].to_pylist()
    assert versions == list(range(1, 14))


SAVE = """
import sys
from labkit.prompts import Prompt
from labkit.store import Store
store = Store(sys.argv[1], wait_s=60)
for number in range(4):
    print(store.save_prompt(Prompt("shared", f"text {sys.argv[2]} {number}")).version, flush=True)
"""


def test_processes_give_each_number_once(path: Path, python: Callable[..., subprocess.Popen[str]]) -> None:
    """Three processes that save new texts under one name at once get twelve different numbers."""
    processes = [python(SAVE, path, who) for who in "abc"]
    numbers = [int(number) for process in processes for number in process.communicate(timeout=120)[0].split()]
    assert sorted(numbers) == list(range(1, 13))
    frame = Store(path).prompts()
    assert sorted(frame["version"]) == list(range(1, 13))


def test_samples_are_there_once_and_come_back(store: Store, put: Put, make: Any) -> None:
    """A run's samples are those of its dataset, in their order, with values of every JSON type."""
    rows = [
        {"id": f"s{n}", "text": "é\n" * n, "n": n, "many": [1, {"a": None}], "target": n % 2 == 0}
        for n in range(5)
    ]
    dataset = load(rows, name="mine")
    assert not store.has_samples(dataset)
    store.save_samples(dataset)
    put(make.run(dataset=dataset.hash), make.run("run-2", dataset="t1:other"))
    samples = store.samples("run-1")
    assert list(samples) == [sample.id for sample in dataset.samples]
    assert list(samples.values()) == list(dataset.samples)
    assert store.samples("run-2") == {}
    assert store.has_samples(dataset)
    store.save_samples(dataset)
    put()
    assert store.table("select count(*) as n from samples")["n"].to_pylist() == [5]
