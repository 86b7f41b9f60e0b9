"""The public surface: what `import labkit` gives, and what it does not do."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import labkit

HEAVY = (
    "openai",
    "anthropic",
    "pandas",
    "plotly",
    "duckdb",
    "pyarrow",
    "scipy",
    "xllamacpp",
    "ipywidgets",
    "IPython",
)


def test_all_lists_what_is_there() -> None:
    """`__all__` is sorted, every name in it can be had, and each has a docstring."""
    assert labkit.__all__ == sorted(labkit.__all__)
    assert set(labkit.__all__) == set(labkit._HOMES)
    for name in labkit.__all__:
        assert inspect.getdoc(getattr(labkit, name)), name


def test_an_unknown_name_says_what_there_is() -> None:
    """A misspelt name raises AttributeError with the names labkit has."""
    with pytest.raises(AttributeError, match="Lab, LiveGrid"):
        labkit.Labb  # noqa: B018


def test_importing_does_no_work() -> None:
    """`import labkit` imports none of the heavy packages, starts no thread and opens no socket."""
    code = (
        "import sys, threading, labkit\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], threading.active_count())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] 1"


def test_making_a_lab_opens_and_writes_nothing(here: object) -> None:
    """`lk.Lab()` imports no DuckDB, makes no file and no folder."""
    code = (
        "import sys, os, labkit as lk\nlab = lk.Lab('x.duckdb'); repr(lab)\n"
        "print([name for name in ('duckdb', 'pandas', 'openai') if name in sys.modules], os.listdir('.'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"


def test_public_values_show_themselves_escaped(lab: labkit.Lab, here: object) -> None:
    """A model, a lab and a generation have one line each, and HTML in which nothing of theirs is a tag."""
    from labkit.records import Generation

    said = Generation(
        generation_id="g", run_id="r", experiment="e", workspace="w", prompt="p", prompt_version=1, model="m",
        provider="x", sample_id="<i>", repeat=0, status="done", text="<script>1</script>", request_id="q",
    )  # fmt: skip
    for value in (said, labkit.Model("scripted/m", label="<b>x"), labkit.Lab("l.duckdb", workspace="<u>")):
        assert "\n" not in repr(value)
        page = value._repr_html_()
        assert not any(tag in page for tag in ("<script>", "<i>", "<b>x", "<u>"))
