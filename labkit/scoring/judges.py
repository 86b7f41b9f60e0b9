"""Judges: scorers that are themselves a prompt and a model, asked about one answer or about two.

`judge` gives each answer a grade, `duel` asks which of two is better, in both orders. Here is
what they are asked (`verdict_request` puts it in words), and of whom. Asking is a run's matter, and reading
what they say that of `judge_scores`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

from labkit.arguments import able, check, switch, text
from labkit.catalog.model import Model
from labkit.catalog.params import OUTPUT_LIMITS
from labkit.errors import DefinitionError, LabkitError
from labkit.prompts import Prompt
from labkit.records import Generation, Sample
from labkit.scoring import verdict_request
from labkit.scoring.check import is_empty
from labkit.scoring.judge_faults import grades_of, judge_faults, listed, meaning_faults
from labkit.scoring.recipe import built_in
from labkit.scoring.scorer import Scorer, Value
from labkit.scoring.verdict_request import CANNOT_TELL, Part
from labkit.visible import quoted

FIRST, SECOND, TIE = "first", "second", "tie"
OUTPUT_TOKENS, THINKING_TOKENS = 512, 4096
"""What a verdict may have at most, where `params` says nothing: of a model that thinks beforehand, more."""
_TASK = {
    False: "You judge an answer of a writer whom you do not know.",
    True: "You compare two answers to the same task, of writers whom you do not know.",
}


class Checks(Protocol):
    """What asks a judge about its controls. `lk.Lab` is one."""

    def _checked(self, judge: Judge, **given: Any) -> Any: ...


@dataclass(frozen=True, kw_only=True)
class Judge(Scorer):
    """A scorer whose values are verdicts of a model. Made by `lk.judge` and `lk.duel`.

    `question` is what it asks; `models` are who answers: of several each is asked, and the value is their
    mean. `verdicts` maps what can be answered to its value (None: it cannot tell).
    """

    question: str = field(kw_only=True)
    models: tuple[str | Model, ...] = field(kw_only=True)
    verdicts: Mapping[str, float | None] = field(kw_only=True, hash=False)
    meanings: Mapping[str, str] = field(default_factory=dict, kw_only=True, hash=False)
    reference: str | None = field(default=None, kw_only=True)
    reason: str | None = field(default="before", kw_only=True)
    params: Mapping[str, Any] = field(default_factory=dict, kw_only=True, hash=False)
    structured: bool | None = field(default=None, kw_only=True)
    compares: bool = field(default=False, kw_only=True)
    """Whether it is asked about two answers at a time."""

    def __repr__(self) -> str:
        return f"{'duel' if self.compares else 'judge'}({self.name!r})"

    @property
    def prompt(self) -> Prompt:
        """What it is asked with. Its text is fixed: samples and answers are put in as `material` alone."""
        return verdict_request.prompt(
            self.name,
            task=_TASK[self.compares],
            question=self.question,
            verdicts={
                **{verdict: self.meanings.get(verdict, "") for verdict in self.verdicts},
                CANNOT_TELL: self.meanings.get(CANNOT_TELL, "the material does not say enough"),
            },
            form=verdict_request.form(self.reason),
        )

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema that a verdict fits."""
        word: dict[str, Any] = {"type": "string", "enum": list(self.verdicts)}
        reason = {"type": "string"}
        fields = {"before": {"reason": reason, "verdict": word}, "after": {"verdict": word, "reason": reason}}
        properties = fields.get(self.reason or "", {"verdict": word})
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    def check(
        self,
        lab: Checks,
        *,
        good: str | None = None,
        bad: str | None = None,
        sample: Mapping[str, Any] | None = None,
        budget_usd: float | None = None,
    ) -> Any:
        """Ask it about twelve controls before it is believed: empty answers, forged verdicts and turns,
        hidden letters, padding. It costs twelve calls (of a duel 24), which are replayed afterwards, and is
        told in verdicts and cards of what it scores.

        Args:
            lab: Where the calls are kept, and whose models and keys are used.
            good: An answer that deserves its best grade; by default the reference in `sample`.
            bad: One that deserves its worst; by default the reference, denied.
            sample: The columns that it is shown, by name.
            budget_usd: The most that this may cost.

        Gives a `JudgeCheck`: `passed`, `fooled_by`, `frame()`.

        >>> polite.check(lab, good="Thank you, we will look into it today.", bad="Go away.")  # doctest: +SKIP
        """
        check(able("lab", lab, "_checked", like="a lab: lk.Lab(…)"))
        return lab._checked(self, good=good, bad=bad, sample=sample, budget_usd=budget_usd)

    def asked_with(self, model: Model) -> dict[str, Any]:
        """The params that one of its models is asked with."""
        params: dict[str, Any] = {"max_tokens": OUTPUT_TOKENS, "temperature": 0}
        if "reasoning" in model.capabilities:
            params = {"max_tokens": THINKING_TOKENS}
        if self.structured is not False and can_structure(model):
            named = {"name": "verdict", "strict": True, "schema": self.schema}
            params["response_format"] = {"type": "json_schema", "json_schema": named}
        given = {**model.params, **self.params}
        if any(name in given for name in OUTPUT_LIMITS):
            params.pop("max_tokens")
        return {**params, **given}

    def material(self, sample: Sample, shown: Sequence[str], *answers: str) -> str:
        """What is judged: `parts`, and the answer, or both in their order."""
        headings = ["answer"] if len(answers) == 1 else ["first answer", "second answer"]
        told = [Part(heading, answer) for heading, answer in zip(headings, answers, strict=True)]
        return verdict_request.material([*self.parts(sample, shown), *told])

    def parts(self, sample: Sample, shown: Sequence[str]) -> list[Part]:
        """What it is shown beside answers: the sample's columns `shown`, those that the question names, and
        the reference."""
        columns = dict.fromkeys([*shown, *verdict_request.variables(self.question)])
        parts = [
            Part(name, as_text(sample[name]))
            for name in columns
            if name != self.reference and name in sample and not is_empty(sample[name])
        ]
        if self.reference is not None:
            parts.append(Part("reference", as_text(sample[self.reference])))
        return parts

    def lacks(self, sample: Sample) -> str | None:
        """Why answers to this sample are not judged: it has no reference; None where they are."""
        name = self.reference
        if name is None or (name in sample and not is_empty(sample[name])):
            return None
        return f"not scored: sample {sample.id} has no {name!r}"


def can_structure(model: Model) -> bool:
    """Whether a model's provider can be asked for JSON of a schema; llama.cpp's server always can."""
    return "json" in model.capabilities or model.dialect == "local"


@built_in
def judge(
    name: str,
    question: str,
    *,
    model: str | Model | Sequence[str | Model],
    grades: Mapping[str, float],
    meanings: Mapping[str, str] | None = None,
    reference: str | None = None,
    reason: str | None = "before",
    params: Mapping[str, Any] | None = None,
    structured: bool | None = None,
) -> Judge:
    """A scorer that asks a model about each answer: the value of the grade that it gives.

    Args:
        name: The score's name.
        question: What is to be judged, one criterion: `"Is the reply polite?"`. `{{ text }}` names a column.
        model: Who judges. Of several each is asked, and the value is their mean.
        grades: What can be answered, and the value of each: `{"no": 0, "yes": 1}`. The judge may also say
            that it cannot tell: then the value is None, and counted.
        meanings: What grades mean, a sentence each: `{"no": "It is rude, or misses the point."}`.
        reference: A column with a good answer, which is shown to the judge.
        reason: Whether it says why: `before` its verdict, `after` it, or None.
        params: What goes to the judge: by default 512 tokens at temperature 0.
        structured: True asks only models whose provider enforces the form of a verdict, None where it can,
            False never.

    The judge sees the columns that the prompts use, the reference and the answer, and never who answered.
    Its calls are generations of runs of kind `judge`: their cost and time are no contender's. Raises one
    `DefinitionError` naming all that is wrong.

    A judge is not believed for what it says: see `run.label` for how far it can be.

    >>> polite = judge("polite", "Is it polite?", model="openai/gpt-4o", grades={"no": 0, "yes": 1})
    >>> polite, polite.scale
    (judge('polite'), Scale(low=0.0, high=1.0, step=1.0))
    """
    what = f"judge {quoted(name)}"
    verdicts, faults = grades_of(what, grades)
    faults += meaning_faults(what, meanings, verdicts)
    faults += judge_faults(what, name, question, model, reason, params, structured)
    faults += text(f"reference of {what}", reference, or_none=True)
    if faults:
        raise DefinitionError(faults)
    values = sorted(verdicts.values())
    return Judge(
        name=name,
        fn=_asked_by_runs,
        columns=_columns(reference, question),
        low=values[0],
        high=values[-1],
        step=_step(values) if len(listed(model)) == 1 else None,
        question=question,
        models=listed(model),
        verdicts={**verdicts, CANNOT_TELL: None},
        meanings=dict(meanings or {}),
        reference=reference,
        reason=reason,
        params=dict(params or {}),
        structured=structured,
    )


@built_in
def duel(
    name: str,
    question: str,
    *,
    model: str | Model | Sequence[str | Model],
    reference: str | None = None,
    ties: bool = True,
    reason: str | None = "before",
    params: Mapping[str, Any] | None = None,
    structured: bool | None = None,
) -> Judge:
    """A scorer that asks a model which of two answers to a sample is better: the share of its duels that an
    answer wins, against all others to the same sample and repeat.

    Each two are shown in both orders. Where both verdicts agree they count 1, 0, or ½ for a tie; where they
    do not, the judge went by the order: that counts ½, and is told as a flip. The rest is as for `judge`.

    >>> duel("helps", "Which reply helps more?", model="anthropic/claude-haiku-4-5")
    duel('helps')
    """
    what = f"duel {quoted(name)}"
    faults = judge_faults(what, name, question, model, reason, params, structured)
    faults += [*text(f"reference of {what}", reference, or_none=True), *switch(f"ties of {what}", ties)]
    if faults:
        raise DefinitionError(faults)
    meanings = {FIRST: "the first is better", SECOND: "the second is better"}
    return Judge(
        name=name,
        fn=_asked_by_runs,
        columns=_columns(reference, question),
        low=0,
        high=1,
        question=question,
        models=listed(model),
        verdicts={FIRST: 1.0, SECOND: 0.0, **({TIE: 0.5} if ties else {}), CANNOT_TELL: None},
        meanings=meanings | ({TIE: "both are as good"} if ties else {}),
        reference=reference,
        reason=reason,
        params=dict(params or {}),
        structured=structured,
        compares=True,
    )


# -- definitions -----------------------------------------------------------------------------------------


def _asked_by_runs(generation: Generation, sample: Sample) -> Value:
    """In place of a function: a judge's value takes a model to be asked, which runs do."""
    raise LabkitError("a judge is asked by a run: scorers=[…] of a plan, or run.score(…)")


def _columns(reference: str | None, question: str) -> tuple[str, ...]:
    named = [*([reference] if reference else []), *verdict_request.variables(question)]
    return tuple(dict.fromkeys(named))


def _step(values: Sequence[float]) -> float | None:
    """The step between neighbouring values, where it is one for all."""
    steps = [high - low for low, high in pairwise(values)]
    return steps[0] if all(math.isclose(step, steps[0]) for step in steps) else None


def as_text(value: Any) -> str:
    """A cell of a sample as a judge or a person reads it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
