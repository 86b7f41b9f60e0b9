"""labkit.traceback_summary: an error in a notebook is its message; tried in a real kernel."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labkit.errors import DefinitionError

Run = Callable[..., list[str]]
MISSPELT = """
lab = lk.Lab("x.duckdb")
def mine(model):
    return lab.plan(prompts=["Say hi"], models=[model])

mine("local/smolm2-135m")
"""


@pytest.fixture
def run(here: Path) -> Run:
    """Runs cells in a kernel, after `import labkit as lk`; gives the errors they show, without colours."""
    import nbformat  # takes seconds, which whoever only collects is spared
    from nbclient import NotebookClient

    def run(*sources: str) -> list[str]:
        cells = [nbformat.v4.new_code_cell(source) for source in ("import labkit as lk", *sources)]
        book = nbformat.v4.new_notebook(cells=cells)
        NotebookClient(book, allow_errors=True, kernel_name="python3").execute(cwd=str(here))
        return [_shown(cell.outputs) for cell in book.cells[1:]]

    return run


def _shown(outputs: Any) -> str:
    told = ["\n".join(one.traceback) for one in outputs if one.output_type == "error"]
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(told))


def test_an_error_is_its_message_and_the_lines_of_ones_own(run: Run) -> None:
    """The class, the message, the cell's line, the innermost line of one's own, and how to see the rest."""
    (shown,) = run(MISSPELT)
    said, begun, ended, rest = shown.splitlines()
    assert said.startswith("UnknownModel: There is no model 'local/smolm2-135m'.")
    assert begun == 'Cell In[2], line 5: mine("local/smolm2-135m")'
    assert ended == 'Cell In[2], line 3: return lab.plan(prompts=["Say hi"], models=[model])'
    assert "%tb" in rest


def test_the_traceback_comes_when_asked_for(run: Run) -> None:
    """By `%tb` after the message, and by another `%xmode` in its place; raised anew it is a message again."""
    kept = "try:\n    lab.run('nosuch')\nexcept Exception as error:\n    kept = error"
    shown = run(
        MISSPELT, "%tb", "%xmode Plain", MISSPELT, "%xmode Context", kept, "raise kept", "raise kept", "%tb"
    )
    assert "labkit/plan/validation.py" not in shown[0]
    for whole in (shown[1], shown[3]):
        assert "Traceback (most recent call last)" in whole
        assert "labkit/plan/validation.py" in whole
    for message in (shown[6], shown[7]):
        assert message.startswith("DefinitionError: ")
        assert len(message.splitlines()) == 4
    assert "labkit/run/handle.py" in shown[8]


def test_a_magic_and_a_module_are_told_by_their_lines(run: Run, here: Path) -> None:
    """Of a magic no line is shown that nobody wrote; files of one's own are named, installed ones not."""
    (here / "study.py").write_text("import labkit as lk\n\ndef go():\n    lk.Lab('x.duckdb').run('nosuch')\n")
    shown = run("%load_ext labkit", "%%prompt local/smolm2-135m\nHi", "import study", "study.go()")
    assert shown[1].splitlines()[1] == "Cell In[3], line 1"
    assert shown[3].splitlines()[1:3] == [
        "Cell In[5], line 1: study.go()",
        "study.py, line 4: lk.Lab('x.duckdb').run('nosuch')",
    ]


def test_other_errors_are_as_they_were(run: Run) -> None:
    """An interrupt, a fault of one's own and a scorer's keep their tracebacks."""
    shown = run("raise KeyboardInterrupt", "1 / 0")
    assert "Traceback (most recent call last)" in shown[0]
    assert "----> 1" in shown[1]


def test_an_error_that_was_shown_can_be_pickled() -> None:
    """What is remembered of its showing is a number."""
    error = DefinitionError("a")
    error._seen = 3
    assert pickle.loads(pickle.dumps(error)).faults == ("a",)
