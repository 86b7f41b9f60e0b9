"""`%load_ext labkit`: `%%prompt MODEL…` asks the cell's text, `%models WORDS…` lists models.

Loading registers the two names and does nothing else. The lab is the notebook's variable `lab`, or
`lk.Lab()` where there is none. It does not know how a run is driven or shown.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class

from labkit.errors import DefinitionError
from labkit.lab import Lab
from labkit.prompts import Prompt

if TYPE_CHECKING:
    import pandas as pd

    from labkit.run import Run

COLUMNS = ("id", "context_window", "input_usd_mtok", "output_usd_mtok", "key")


def load_ipython_extension(ipython: Any) -> None:
    """Called by `%load_ext labkit`."""
    ipython.register_magics(Prompting)


@click.command(add_help_option=False)
@click.argument("models", nargs=-1, required=True)
@click.option("-n", "--repeats", type=int, default=1)
@click.option("--system")
@click.option("--max-tokens", type=int)
@click.option("--temperature", type=float)
@click.option("--budget", "budget_usd", type=float)
@click.option("--fresh", is_flag=True)
@click.option("--wait", is_flag=True)
def _options(**given: Any) -> dict[str, Any]:
    return given


@magics_class
class Prompting(Magics):  # type: ignore[misc, unused-ignore]
    """The two magics."""

    @cell_magic  # type: ignore[misc, untyped-decorator, unused-ignore]
    def prompt(self, line: str, cell: str) -> Run:
        """Ask the cell's text on each MODEL, show the grid, and return the run at once.

        `%%prompt MODEL… [-n REPEATS] [--system TEXT] [--max-tokens N] [--temperature T] [--budget USD]
        [--fresh] [--wait]`. `{{ name }}` in the text is the notebook's variable of that name. With `--wait`
        the cell ends when the run does.
        """
        given = self._read(line)
        asked = Prompt.of(cell.strip()).replace(system=given["system"])
        params = {name: given[name] for name in ("max_tokens", "temperature") if given[name] is not None}
        plan = self._lab().plan(
            prompts=[asked],
            models=list(given["models"]),
            dataset=self._fields(asked.variables),
            repeats=given["repeats"],
            params=params,
            experiment=asked.name,
        )
        run: Run = plan.start(budget_usd=given["budget_usd"], fresh=given["fresh"] or None)
        return run.wait() if given["wait"] else run

    @line_magic  # type: ignore[misc, untyped-decorator, unused-ignore]
    def models(self, line: str) -> pd.DataFrame:
        """The lab's models in which all WORDS occur: `%models openai mini`."""
        frame: pd.DataFrame = self._lab().models.frame()
        words = line.casefold().split()
        text = frame["id"] + " " + frame["label"].fillna("") + " " + frame["aliases"].fillna("")
        text = text.str.casefold() + " key " + frame["key"]
        wanted = [all(word in one for word in words) for one in text]
        return frame.loc[wanted, list(COLUMNS)].reset_index(drop=True)

    def _read(self, line: str) -> dict[str, Any]:
        try:
            given: dict[str, Any] = _options.main(shlex.split(line), standalone_mode=False)
        except (click.ClickException, ValueError) as error:
            told = error.format_message() if isinstance(error, click.ClickException) else str(error)
            raise UsageError(f"%%prompt: {told} See %%prompt? for what it takes.") from None
        return given

    def _lab(self) -> Lab:
        found = self._names().get("lab")
        return found if isinstance(found, Lab) else Lab()

    def _fields(self, variables: Sequence[str]) -> list[dict[str, Any]] | None:
        names = self._names()
        if missing := [name for name in variables if name not in names]:
            raise DefinitionError(
                f"The prompt needs {' and '.join(missing)}, and the notebook has no variable of that name. "
                "Assign it in a cell, or ask with lab.plan(..., dataset=...)."
            )
        return [{name: names[name] for name in variables}] if variables else None

    def _names(self) -> Mapping[str, Any]:
        shell: Any = self.shell
        names: Mapping[str, Any] = shell.user_ns
        return names
