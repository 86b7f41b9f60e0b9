"""`%load_ext labkit`: `%%prompt MODEL…` asks what the cell says, `%models WORDS…` lists models.

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

from labkit.catalog.per_step import PerStep, per_step
from labkit.errors import DefinitionError
from labkit.lab import Lab
from labkit.prompts import Prompt
from labkit.prompts.files import is_chain, of_text
from labkit.prompts.names import is_ref, name_for

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

        A cell that is only the name of a prompt or a chain that the lab has (`reply`, `reply@2`) asks that
        one. A cell that begins as the file of a chain does, with its `steps:` between two `---` lines, is
        that chain. Then a MODEL can be of a step: `facts=local/a,openai/b reply=openai/b`.
        """
        given = self._read(line)
        asked = self._asked(cell.strip())
        if asked.steps and given["system"] is not None:
            raise DefinitionError(
                f"--system is for a prompt; each step of the chain {asked.name!r} has its own: give it there."
            )
        if given["system"] is not None:
            asked = asked.replace(system=given["system"])
        params = {name: given[name] for name in ("max_tokens", "temperature") if given[name] is not None}
        plan = self._lab().plan(
            prompts=[asked],
            models=_models(given["models"], asked),
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

    def _asked(self, text: str) -> Prompt:
        if is_chain(text):
            return of_text(text, name=name_for(text), where="cell")
        known = self._lab().prompts
        if is_ref(text) and text.partition("@")[0] in [prompt.name for prompt in known]:
            return known[text]
        return Prompt.of(text)

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


def _models(words: Sequence[str], asked: Prompt) -> list[str | PerStep]:
    """The models, those that are given to a step apart."""
    steps = [step.name for step in asked.steps]
    parts = [(word, *word.partition("=")) for word in words]
    own = {step: models.split(",") for _, step, sign, models in parts if sign and step in steps}
    whole = [word for word, step, sign, _ in parts if not (sign and step in steps)]
    return [*whole, *([per_step(**own)] if own else [])]
