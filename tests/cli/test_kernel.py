"""labkit.cli.kernel: which kernel runs a notebook that came from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from labkit.cli import kernel
from labkit.errors import DefinitionError


def book(**metadata: Any) -> Any:
    """A notebook without cells."""
    return nbformat.v4.new_notebook(metadata=metadata)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"kernelspec": {"name": "conda-env-ds-py", "display_name": "ds", "language": "python"}},
        {"kernelspec": {"name": "ds", "display_name": "ds"}, "language_info": {"name": "python"}},
        {"kernelspec": {"name": "", "display_name": ""}},
    ],
)
def test_a_python_notebook_from_elsewhere_runs_here(metadata: dict[str, Any]) -> None:
    """A kernel that is not here, or none, is replaced by this environment's Python, which is said."""
    chosen = kernel.choose(book(**metadata), wanted=None, file="n.ipynb")
    assert (chosen.name, chosen.is_python) == ("python3", True)
    assert "--kernel" in (chosen.note or "")


def test_its_own_kernel_runs_it_without_a_word() -> None:
    """Where the named kernel is here, it is taken."""
    own = book(kernelspec={"name": "python3", "display_name": "Python 3", "language": "python"})
    assert kernel.choose(own, wanted=None, file="n.ipynb") == kernel.Kernel("python3", "python")


def test_another_language_is_refused_with_what_there_is() -> None:
    """A notebook in R is not run by Python."""
    other = book(kernelspec={"name": "ir", "display_name": "R", "language": "R"})
    with pytest.raises(DefinitionError, match=r"'ir' for R.*--kernel.*python3"):
        kernel.choose(other, wanted=None, file="n.ipynb")


def test_it_is_here_under_cron_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jupyter's Python is started without a PATH that leads to it, whatever name of it the list has."""
    own = book(kernelspec={"name": "python3", "display_name": "Python 3", "language": "python"})
    for program in ("python", "python3"):
        spec = tmp_path / "kernels" / "python3"
        spec.mkdir(parents=True, exist_ok=True)
        (spec / "kernel.json").write_text(json.dumps({"argv": [program], "language": "python"}))
        monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
        monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
        assert kernel.choose(own, wanted=None, file="n.ipynb") == kernel.Kernel("python3", "python")


def test_a_kernel_whose_program_is_gone_is_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deleted environment leaves its kernel in Jupyter's list; it is neither taken nor offered."""
    left = tmp_path / "kernels" / "ds"
    left.mkdir(parents=True)
    spec = {"argv": [str(tmp_path / "gone" / "python")], "display_name": "ds", "language": "python"}
    (left / "kernel.json").write_text(json.dumps(spec))
    (tmp_path / "kernels" / "torn").mkdir()
    (tmp_path / "kernels" / "torn" / "kernel.json").write_text("{")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    named = book(kernelspec={"name": "ds", "display_name": "ds", "language": "python"})
    assert kernel.choose(named, wanted=None, file="n.ipynb").name == "python3"
    for wanted in ("ds", "torn", "nosuch"):
        with pytest.raises(DefinitionError, match=f"no kernel '{wanted}' here"):
            kernel.choose(named, wanted=wanted, file="n.ipynb")


CELL = {
    "cell_type": "code",
    "id": "a1",
    "source": ["x = 1"],
    "metadata": {},
    "outputs": [],
    "execution_count": None,
}
BOOK = {"cells": [CELL], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@pytest.mark.parametrize(
    "written",
    [
        BOOK | {"nbformat_minor": 4},
        BOOK | {"nbformat_minor": 9},
        BOOK | {"metadata": {"kernelspec": {}}},
        BOOK | {"metadata": {"kernelspec": {"name": "python3"}}},
        BOOK | {"metadata": {"kernelspec": {"display_name": "Python 3", "language": "python"}}},
        BOOK | {"metadata": {"kernelspec": None, "language_info": None, "authors": None}},
        BOOK | {"metadata": {"language_info": {"version": "3.9"}}},
        BOOK | {"cells": [{"cell_type": "code", "source": "x = 1"}]},
        BOOK | {"cells": [CELL | {"id": "no id!"}, CELL, CELL]},
        BOOK | {"cells": [CELL | {"outputs": [{"output_type": "stream", "text": "x"}], "strange": 1}]},
        BOOK | {"cells": [CELL, {"cell_type": "markdown", "source": "x", "outputs": []}]},
        {"cells": [CELL], "nbformat": 4, "nbformat_minor": 5},
        {
            "nbformat": 3,
            "nbformat_minor": 0,
            "metadata": {"name": ""},
            "worksheets": [
                {"cells": [{"cell_type": "code", "input": "x = 1", "language": "python", "outputs": []}]}
            ],
        },
    ],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_what_jupyter_runs_is_no_fault(tmp_path: Path, written: dict[str, Any], mark: str) -> None:
    """What other programs leave out of a notebook, or put into it, is filled in or left aside: what then
    runs is whole, as its page needs it."""
    path = tmp_path / "n.ipynb"
    path.write_text(mark + json.dumps(written), encoding="utf-8")
    read = kernel.read(path)
    nbformat.validate(read, relax_add_props=True)
    assert isinstance(read, nbformat.NotebookNode)
    assert read.cells[0].source == "x = 1"
    assert kernel.choose(read, wanted=None, file="n.ipynb").name == "python3"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"cells": [',
        b"[]",
        b"3",
        b"null",
        b"print(1)",
        b"\xff\xfe\x00{",
        b'{"nbformat": 4}',
        b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code"}]}',
        b'{"nbformat": 99, "nbformat_minor": 0, "metadata": {}, "cells": []}',
        b'{"nbformat": "4", "metadata": [], "cells": 7}',
        b"[" * 100_000,
        b"1" * 5_000,
    ],
)
def test_what_is_no_notebook_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    """Empty, torn, foreign and newer files: one sentence that names the file."""
    path = tmp_path / "n.ipynb"
    path.write_bytes(content)
    with pytest.raises(DefinitionError, match=r"n\.ipynb cannot be run"):
        kernel.read(path)
