"""The workbench: prompts, models, samples and repeats chosen together, a plan of them, and its run.

State only, so it works headless: `plan()`, `start()`, `code`. `workform` draws it. It reaches the lab
through the few things in `HasPlans` and starts nothing by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from html import escape
from pathlib import Path
from typing import Any, Protocol

from labkit import scoring
from labkit.catalog.per_step import PerStep
from labkit.errors import DefinitionError
from labkit.prompts import Block, Prompt
from labkit.store.filters import listed
from labkit.visible import quoted, visible
from labkit.widgets import sources
from labkit.widgets.models import ModelSelector
from labkit.widgets.prompts import PromptSelector
from labkit.widgets.sources import TYPED, Source
from labkit.widgets.state import State

SCORERS: dict[str, tuple[str, Callable[[], Any] | None]] = {
    "no score": ("", None),
    "contains the target": ("lk.contains('target')", scoring.contains),
    "equals the target": ("lk.exact('target')", scoring.exact),
    "is the target's number": ("lk.numeric('target')", scoring.numeric),
}
EXPERIMENT = "workbench"


class HasPlans(Protocol):
    """What the workbench needs of a lab."""

    path: Path
    workspace: str

    @property
    def models(self) -> Any: ...

    @property
    def prompts(self) -> Any: ...

    def plan(self, **given: Any) -> Any: ...


class Workbench(State):
    """Choose, see what it will cost, run, watch, and read, in one widget.

    What is given here is chosen at first: `prompts` and `models` as for the selectors (chains among the
    prompts, `lk.per_step(…)` among the models), `dataset` a path,
    a frame or None (then values for the prompts' variables are typed), `rows` so many samples of it
    (0: all), `repeats`, `budget_usd`, `score` one of `no score`, `contains the target`,
    `equals the target`, `is the target's number`, or the name of one of your own `scorers`, such as a judge,
    of which the first is chosen; `measure` the names of blocks whose worth is to be told
    (see `plan.ablate`). `plan()` and `start()` work headless; `run` is the latest run. Raises
    `DefinitionError`.

    >>> bench = Workbench(lab, models=["local/smollm2-135m"])     # doctest: +SKIP
    >>> bench.start().wait().summary()                            # doctest: +SKIP
    """

    _drawn_by = "workform.WorkForm"

    def __init__(
        self,
        lab: HasPlans,
        *,
        prompts: Sequence[str | Prompt] | None = None,
        models: str | PerStep | Sequence[str | PerStep] | None = None,
        dataset: Any = None,
        rows: int = 0,
        repeats: int = 1,
        budget_usd: float | None = None,
        score: str = "no score",
        experiment: str = EXPERIMENT,
        blocks: Sequence[Block] = (),
        measure: Sequence[str] = (),
        scorers: Sequence[scoring.Scorer | scoring.Function] = (),
    ) -> None:
        super().__init__()
        self.lab = lab
        self.prompts = PromptSelector(lab, value=prompts, blocks=blocks)
        for name in listed(measure):
            self.prompts.measure(name)
        self.models = ModelSelector(lab, value=models)
        self.values: dict[str, str] = {}
        """Typed values of variables, where there is no dataset."""
        self.rows, self.repeats, self.budget_usd = rows, repeats, budget_usd
        self.experiment = experiment
        self.run: Any = None
        self.measures = False
        """Whether the latest run measures blocks."""
        self._read: tuple[Any, str] | None = None
        self._source = TYPED if dataset is None else self._named(dataset)
        own = scoring.scorers(scorers)
        self.scorers = SCORERS | {one.name: (_code(one), partial(_itself, one)) for one in own}
        """By what they are called here: their code, and what makes them."""
        self._score = "no score"
        self.set(score=own[0].name if own and score == "no score" else score)
        self.prompts.on_change(self.changed)
        self.models.on_change(self.changed)

    # -- the choice ------------------------------------------------------------------------------

    def sources(self) -> list[Source]:
        """What the samples can come from now: typed values, frames of the notebook, files of the project."""
        found = [TYPED, *sources.frames(sources.notebook_names()), *sources.files(Path.cwd())]
        names = {source.name for source in found}
        return found if self._source.name in names else [self._source, *found]

    @property
    def source(self) -> Source:
        """Where the samples come from."""
        return self._source

    @property
    def score(self) -> str:
        """How answers are scored."""
        return self._score

    def set(self, **changes: Any) -> None:
        """Change `source`, `score`, `rows`, `repeats`, `budget_usd` or `experiment`."""
        if "score" in changes and changes["score"] not in list(self.scorers):
            raise DefinitionError(
                f"score is {quoted(changes['score'])}; it can be {', '.join(self.scorers)}."
            )
        for name, value in changes.items():
            setattr(self, f"_{name}" if name in ("source", "score") else name, value)
        self.changed()

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables of the chosen prompts."""
        return tuple(dict.fromkeys(name for prompt in self._prompts() for name in prompt.variables))

    def _prompts(self) -> list[Prompt]:
        chosen = [self.prompts.prompt(name) for name in self.prompts.chosen]
        return [*chosen, self.prompts.draft.prompt()] if self.prompts.uses_draft else chosen

    # -- what follows from it --------------------------------------------------------------------

    def plan(self) -> Any:
        """The plan of the present choice; what is shown here follows its runs, whoever starts them. Raises
        `DefinitionError` naming all that is wrong."""
        make = self.scorers[self._score][1]
        faults = [
            f"{visible(name)} has no value. Type one under Samples, choose a table there, or give the prompt "
            "a default."
            for name in self._lacking()
        ]
        try:
            plan = self.lab.plan(
                prompts=list(self.prompts.value),
                models=list(self.models.value),
                dataset=self._dataset(),
                repeats=self.repeats,
                scorers=[make()] if make else [],
                experiment=self.experiment,
            )
        except DefinitionError as error:
            if not faults:
                raise
            faults += error.faults
        if faults:
            raise DefinitionError(faults)
        plan = replace(plan, services=replace(plan.services, ended=self.changed))
        plan = plan.head(self.rows) if self.rows and self._source is not TYPED else plan
        return plan.ablate(self.prompts.measured) if self.prompts.measured else plan

    def start(self) -> Any:
        """Start the plan; returns the run at once. It is shown in the workbench."""
        self.measures = bool(self.prompts.measured)
        self.run = self.plan().start(budget_usd=self.budget_usd, progress="none")
        self.changed()
        return self.run

    @property
    def code(self) -> str:
        """The Python of the present choice, to be pasted into a cell; all names are literals."""
        names = sources.notebook_names()
        lab = sources.name_of(self.lab, names)
        lines = ["import labkit as lk", ""]
        if lab is None:
            lines += [f"lab = lk.Lab({str(self.lab.path)!r}, workspace={self.lab.workspace!r})"]
        elif lab != "lab":
            lines += [f"lab = {lab}"]
        given = {
            "prompts": _listed(self.prompts.value_code),
            "models": _listed(self.models.value_code),
            "dataset": self._source.code or (repr(self._dataset()) if self.variables else ""),
            "repeats": "" if self.repeats == 1 else repr(self.repeats),
            "scorers": _listed([code]) if (code := self.scorers[self._score][0]) else "",
            "experiment": repr(self.experiment),
        }
        lines += ["plan = lab.plan("]
        lines += [f"    {name}={value}," for name, value in given.items() if value]
        head = f").head({self.rows!r})" if self.rows and self._source is not TYPED else ")"
        if self.prompts.measured:
            head += f".ablate({list(self.prompts.measured)!r})"
        budget = "" if self.budget_usd is None else f"budget_usd={self.budget_usd!r}"
        return "\n".join([*lines, head, f"run = plan.run({budget})", "run"])

    def _dataset(self) -> Any:
        if self._source is not TYPED:
            return self._source.given
        # None is what a prompt's default stands for. What lacks both is told in the words of this form.
        fields = {name: self.values.get(name) or None for name in self.variables}
        return [fields | dict.fromkeys(self._lacking(), "")] if fields else None

    def _lacking(self) -> list[str]:
        """The variables that have neither a typed value nor a default, where values are to be typed."""
        if self._source is not TYPED:
            return []
        typed = {name: value for name, value in self.values.items() if value}
        return list(dict.fromkeys(name for prompt in self._prompts() for name in prompt.missing(typed)))

    def _named(self, given: Any) -> Source:
        if isinstance(given, str | Path):
            return Source(visible(given), str(given), repr(str(given)))
        name = sources.name_of(given, sources.notebook_names())
        return Source(f"{name or 'a table'}: frame", given, name or "dataset")

    # -- showing ---------------------------------------------------------------------------------

    def __repr__(self) -> str:
        counts = {"prompt": len(self.prompts.value), "model": len(self.models.chosen)}
        chosen = ", ".join(f"{count} {what}{'' if count == 1 else 's'}" for what, count in counts.items())
        chosen += "".join(f", {given}" for given in self.models.per_step if self.models.uses(given))
        return f"Workbench({chosen}, {visible(self._source.name, limit=60)}, repeats={self.repeats})"

    def _repr_html_(self) -> str:
        from labkit.widgets import forms

        parts = [self.prompts._repr_html_(), self.models._repr_html_(), forms.code(self.code)]
        if self.run is not None:
            parts.append(self._read_run())
        return "".join(f"<div>{part}</div>" for part in parts)

    def _read_run(self) -> str:
        from labkit.widgets import answers

        # Read once when it is over: what stands here is drawn anew at every letter typed above.
        if self._read is None or self._read[0] is not self.run:
            is_over = self.run.status != "running"
            drawn = str(self.run._repr_html_())
            if not is_over:
                return drawn
            drawn += answers.still(answers.read(self.run))
            self._read = self.run, drawn + (blocks_html(self.run) if self.measures else "")
        return self._read[1]


def _itself(scorer: scoring.Scorer) -> scoring.Scorer:
    return scorer


def _code(scorer: scoring.Scorer) -> str:
    """How a scorer is written: as the notebook calls it, else as it was made."""
    name = sources.name_of(scorer, sources.notebook_names())
    if name is not None or scorer.recipe is None:
        return name or scorer.name
    given = ", ".join(f"{key}={value!r}" for key, value in scorer.recipe["given"].items())
    return f"lk.{scorer.recipe['make']}({given})"


def blocks_html(run: Any) -> str:
    """What blocks are worth by a run's answers, as HTML, or why that cannot be told."""
    try:
        return str(run.ablation()._repr_html_())
    except DefinitionError as error:
        return f"<p>{escape(visible(error, limit=600))}</p>"


def _listed(expressions: Sequence[str]) -> str:
    short = f"[{', '.join(expressions)}]"
    if len(short) <= 90:
        return short
    return "[\n" + "".join(f"        {one},\n" for one in expressions) + "    ]"
