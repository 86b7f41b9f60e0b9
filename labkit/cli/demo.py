"""`labkit demo` and `labkit new`: the quickstart, run from whatever is installed, and a study to start from.

What they ask and print is the notebook's and the run's; they only put files into place and call the other
commands.
"""

from __future__ import annotations

import contextlib
import importlib.util
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from labkit import weights
from labkit.cli.examples import PARTS, QUICKSTART, put, shipped
from labkit.cli.notebook import run_notebook
from labkit.cli.runs import tell
from labkit.cli.which_lab import existing
from labkit.errors import DefinitionError, MissingPackage
from labkit.lab import Lab
from labkit.paths import shown

MODELS = ("smollm2-135m", "gemma-3-270m")
NEEDED = {"xllamacpp": "local", "papermill": "notebook"}
_STUDY = Path(__file__).parent / "study"
_DATA = (
    *("data/prompts/ask.md", "data/prompts/examples.md"),
    *("data/datasets/tickets.csv", "data/datasets/README.md"),
)
_HIDDEN = ("env.example", "gitignore")
"""Files of the template that begin with a dot where they are used, and not where they are kept."""


@click.command()
@click.argument("folder", default="labkit-demo", type=click.Path(file_okay=False, path_type=Path))
@click.option("--rows", type=click.IntRange(1, 40), help="Fewer than the 40 messages, for a quick look.")
def demo(folder: Path, rows: int | None) -> None:
    """Ask two real models 40 questions with two prompts, and tell which is best; without a key.

    Puts labkit's notebooks and data into FOLDER (by default labkit-demo), where they are not yet; fetches
    330 MB of weights, once; runs the quickstart there and prints what it found. That takes some minutes on
    two cores, and a second time no more than seconds.
    """
    _need()
    for part in PARTS:
        put(shipped() / part, folder / part)
    for name in MODELS:
        weights.pull(name, progress=click.echo)
    (folder / "build").mkdir(exist_ok=True)
    fewer = () if rows is None else (("rows", str(rows)),)
    code = run_notebook(folder / "notebooks" / QUICKSTART, fewer, out=folder / "build" / QUICKSTART)
    if code == 0:
        lab = existing(str(folder / "lab.duckdb"))
        click.echo()
        tell(lab.run("latest"))
        click.echo("\n" + "\n".join(_next(lab, folder)))
    sys.exit(code)


def _need() -> None:
    """Raise `MissingPackage` before anything is fetched."""
    lacking = [extra for package, extra in NEEDED.items() if importlib.util.find_spec(package) is None]
    if lacking:
        raise MissingPackage(f"The demo needs more: pip install 'labkit[{','.join(lacking)}]'")


def _next(lab: Lab, folder: Path) -> list[str]:
    """Where the lab is, and commands as they can be typed from here."""
    code = f"import duckdb; print(duckdb.connect('{lab.path}', read_only=True).sql('from generations'))"
    root = "" if folder == Path() else f" --ServerApp.root_dir={shlex.quote(str(folder))}"
    in_clone = (folder / "Makefile").exists() and shipped() == folder.resolve()
    start = "make lab" if in_clone else f"{_typed('jupyter')} lab{root}"
    return [
        f"the lab  {lab.path.resolve()}",
        f'as rows  {_typed("python")} -c "{code}"',
        f"next     {start}",
        "             the notebooks, to change a prompt and run it again",
        f"         {_typed('labkit')} new my-study",
        "             a small study of your own to start from",
        f"         {_typed('labkit')} models",
        "             other models, their prices, and which keys were found",
    ]


def _typed(program: str, *, anywhere: bool = False) -> str:
    """How a program of this environment is called from here, or from `anywhere`."""
    folder, here = Path(sys.executable).parent, Path.cwd()
    found = shutil.which(program)
    if found is not None and Path(found).parent == folder:
        return program
    near = folder.is_relative_to(here) and not anywhere
    return shlex.quote(str((folder.relative_to(here) if near else folder) / program))


@contextlib.contextmanager
def _whole(folder: Path) -> Iterator[None]:
    """What is put into `folder`, which is new or empty, is there as a whole, or nothing of it is."""
    new = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # what hindered the writing may hinder this
            for one in [] if new else list(folder.iterdir()):
                shutil.rmtree(one) if one.is_dir() else one.unlink()
            if new:
                shutil.rmtree(new[-1])
        raise


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def new(folder: Path) -> None:
    """Make a small study in FOLDER to start from: a notebook, a table, two prompts, and where keys go.

    It runs as it stands, on two local models. FOLDER must be new or empty.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DefinitionError(f"{shown(folder)} is there already and not empty. Name a new folder.")
    except OSError as error:
        raise DefinitionError(f"{shown(folder)} cannot be looked into: {error.strerror}.") from None
    with _whole(folder):
        for file in sorted(_STUDY.iterdir()):
            put(file, folder / (f".{file.name}" if file.name in _HIDDEN else file.name))
        for name in _DATA:
            put(shipped() / name, folder / name)
    labkit, jupyter = _typed("labkit", anywhere=True), _typed("jupyter", anywhere=True)
    click.echo(
        f"{shown(folder)} has a study to start from: README.md says what is in it.\n"
        f"next     cd {shlex.quote(str(folder))}\n"
        f"         {labkit} pull {' '.join(MODELS)}\n"
        f"         {labkit} run study.ipynb\n"
        f"             or open it: {jupyter} lab study.ipynb"
    )
