"""Where a workbench's samples can come from."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from labkit.widgets import sources


def test_files_of_the_project(here: Path) -> None:
    """Tables beside the notebook and in `data/datasets` here or above are found, others not."""
    (here / "data" / "datasets").mkdir(parents=True)
    (here / "data" / "datasets" / "a.csv").write_text("x")
    (here / "data" / "datasets" / "README.md").write_text("x")
    below = here / "notebooks"
    below.mkdir()
    (below / "b.jsonl").write_text("{}")
    found = list(sources.files(below))
    assert [source.name for source in found] == ["../data/datasets/a.csv", "b.jsonl"]
    assert [source.code for source in found] == ["'../data/datasets/a.csv'", "'b.jsonl'"]


def test_frames_of_the_notebook() -> None:
    """Frames are found under names that can be written in code; IPython's own are not."""
    frame = pd.DataFrame({"a": [1, 2]})
    found = list(
        sources.frames({"df": frame, "_12": frame, "__": frame, "x": 3, "class": frame, "a b": frame})
    )
    assert [(source.name, source.code) for source in found] == [("df: frame of 2 rows", "df")]
    assert found[0].given is frame


def test_the_variable_of_an_object() -> None:
    """A variable is found by the very object it holds."""
    one, other = pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1]})
    names = {"_": one, "mine": one, "yours": other}
    assert sources.name_of(one, names) == "mine"
    assert sources.name_of(object(), names) is None


def test_hostile_file_names_are_literals(here: Path) -> None:
    """A file may be called anything: its code is a string that is exactly its name."""
    name = "a'); import os; ('.csv"
    (here / name).write_text("x")
    (source,) = sources.files(here)
    assert eval(source.code) == name
