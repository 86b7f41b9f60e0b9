"""Judging a run's answers: what judges are asked about them, in runs of the kind `judge`, and the scores.

A verdict is a generation like any other, so that replay, limits, budget and journal hold for it; its run has
the judged one for parent. It does not know how a verdict is put in words, nor how it is read.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from labkit.arguments import check
from labkit.design import Design, Place
from labkit.errors import DefinitionError, MissingKey, RunBusy
from labkit.records import Generation, Sample, Score
from labkit.run import replaying, score_answers, unasked
from labkit.run.ask_judge import ask, of_its_own
from labkit.run.earlier import Earlier
from labkit.run.in_foreground import in_foreground
from labkit.run.judge_bounds import JudgeBounds
from labkit.run.judge_design import built, judge_design, prompts_of, sample_of, shown_columns, to_one_sample
from labkit.run.lab_services import LabServices
from labkit.run.launch import Settings
from labkit.run.launch_commands import LaunchCommands
from labkit.scoring import Scorer
from labkit.scoring.judge_models import Asked, asked, lone_faults
from labkit.scoring.judge_scores import duelled, graded, unjudged
from labkit.scoring.judges import Judge
from labkit.scoring.verdict_request import MATERIAL
from labkit.store import Store
from labkit.summary.unscored import failure

Told = Callable[[Score], None]
_MODELS = "select distinct model from steps where run_id = ? order by model"
_MOST = """
    select max(answers) as answers from (
        select count(*) as answers from generations
        where run_id = ? and status = 'done' group by sample_id, "repeat"
    )
"""


class Judging:
    """The judges of one run: whether they can be asked, what they may cost, and the asking.

    `contenders` are the models that are judged, of which none may judge; `design` is what the run asks, where
    that is still to come. Raises one `DefinitionError` (`MissingKey`) with all that keeps a judge, or the
    design, from being asked.
    """

    def __init__(
        self,
        judges: Sequence[Judge],
        services: LabServices,
        *,
        contenders: Sequence[str],
        design: Design | None = None,
    ) -> None:
        faults = _lone(judges, design)
        missing = list(services.missing_keys(() if design is None else design.models))
        self._asked: dict[str, Asked] = {}
        for judge in judges:
            try:
                self._asked[judge.name] = found = asked(judge, services.catalog, contenders)
            except DefinitionError as error:
                faults += error.faults
            else:
                missing += services.missing_keys(found.models)
        if faults or missing:
            raise (DefinitionError if faults else MissingKey)(dict.fromkeys([*faults, *missing]))
        self._judges, self._services = tuple(judges), services
        self._progress: Callable[[str], None] | None = None
        self._bounds: JudgeBounds | None = None
        self._steps = {prompt.name: len(prompt.steps) for prompt in design.prompts} if design else {}
        if design is not None and judges:
            samples = {sample.id: sample for sample in design.dataset.samples}
            shown = shown_columns(design.prompts, samples)
            self._bounds = JudgeBounds(judges, self._asked, design, services, shown=shown)

    def __bool__(self) -> bool:
        return bool(self._judges)

    def shown_by(self, progress: Callable[[str], None]) -> Judging:
        """The same, telling `progress` how far they are."""
        self._progress = progress
        return self

    def before_usd(self, place: Place) -> tuple[float, ...]:
        """The most that each request about the answer to this place can cost, before that is there."""
        return () if self._bounds is None else self._bounds.before_usd(place)

    def after_usd(self, row: Generation) -> float:
        """The most that judging this answer can cost; of a chain's steps the last alone is judged."""
        last = row.status == "done" and row.step == self._steps.get(row.prompt, 0)
        return self._bounds.after_usd(row) if last and self._bounds is not None else 0.0

    def owed_usd(self, run_id: str, *, fresh: bool) -> float:
        """The most that judging the answers which the run has by now can cost: what the lab knows costs
        nothing; of a run that asks afresh, what its own judges said."""
        if self._bounds is None:
            return 0.0
        store = self._services.store
        with store.complete_opening():
            answers = list(score_answers.answers(run_id, store))
            samples, prompts = store.samples(run_id), prompts_of(run_id, store)
            known = defaultdict[str, Counter[tuple[str, int]]](Counter)
            for judge in self._judges if answers else ():
                who = self._asked[judge.name]
                shown = shown_columns(prompts, samples)
                design = judge_design(judge, who, answers, samples, shown, experiment="", workspace="")
                found = replaying.look_up(store, design, design.places)
                have = (of_its_own(found, run_id, store) if fresh else found).matching()
                for place in design.places:
                    if (place.request_id, place.draw) in have:
                        judged = design.judged[design.dataset.samples[place.sample].id]
                        known[judged][judge.name, place.model] += 1
        return sum(self._bounds.after_usd(row, known) for row in answers)

    def asked(self, judge: Judge) -> Asked:
        """Whom one of them asks, with which params."""
        return self._asked[judge.name]

    def unpriced(self) -> list[str]:
        """Why no budget can hold for what the judges are asked: a sentence for each."""
        found = []
        for judge in self._judges:
            blank = Sample(id="", fields={MATERIAL: "-"})
            design = built(judge, self._asked[judge.name], [blank], experiment="", workspace="")
            faults = unasked.unpriced(design, design.places, self._services)
            found += [f"{judge!r}: {fault}" for fault in faults]
        return found

    def judge(
        self,
        run_id: str,
        settings: Settings,
        *,
        commands: LaunchCommands,
        told: Told,
        anew: bool = False,
    ) -> list[str]:
        """Ask about every finished answer of the run, and give each its scores; a sentence for each judge
        that failed, or was not asked to the end. What is known already is not asked again.

        `settings` are the run's: its budget counts what judges cost. Where they ask afresh, what its own
        judges said still holds, unless it is to be asked `anew`. `commands` is who may stop it; `told` hears
        each score. Raises `StoreError`.
        """
        store, notes = self._services.store, list[str]()
        with store.complete_opening():
            answers = list(score_answers.answers(run_id, store))
            samples, prompts = store.samples(run_id), prompts_of(run_id, store)
            row = store.run_row(run_id)
        if not answers or row is None:
            return []
        for judge in self._judges:
            if commands.stopped:
                notes.append(f"{judge!r} was not asked: the run was stopped ({commands.stopped})")
                continue
            design = judge_design(
                judge,
                self._asked[judge.name],
                answers,
                samples,
                shown_columns(prompts, samples),
                experiment=str(row["experiment"]),
                workspace=str(row["workspace"]),
            )
            verdicts, left = list[Generation](), None
            try:
                if design.places:
                    verdicts, left = ask(
                        judge,
                        design,
                        self._services,
                        settings,
                        commands,
                        parent_run_id=run_id,
                        progress=self._progress,
                        anew=anew,
                    )
            except RunBusy as busy:
                notes.append(f"{judge!r} was not asked: {busy}")
                continue
            scores = list(scored(judge, answers, samples, verdicts))
            _keep(scores, store, told)
            notes += [f"{judge!r}: {left}"] if left else []
            notes += _failed(judge, scores)
        return notes


def judging_of(design: Design, scorers: Sequence[Scorer], services: LabServices) -> Judging:
    """Those of the scorers that are judges, for the answers of a design that is to be asked."""
    judges = [scorer for scorer in scorers if isinstance(scorer, Judge)]
    return Judging(judges, services, contenders=[model.id for model in design.models], design=design)


def score_by_judges(
    run_id: str,
    scorers: Sequence[Scorer],
    services: LabServices,
    *,
    budget_usd: float | None,
    allow_unpriced: bool | None,
    fresh: bool | None,
) -> Callable[[Told], list[str]]:
    """What asks those of the scorers that are judges about a run that is over: called, it gives a sentence
    for each that failed. Raises `DefinitionError` before anything is asked."""
    judges = [scorer for scorer in scorers if isinstance(scorer, Judge)]
    if not judges:
        return lambda told: []
    with services.store.one_opening():
        models = services.store.table(_MODELS, [run_id])["model"].to_pylist()
        earlier = Earlier.read(services.store, run_id)
        most = services.store.table(_MOST, [run_id])["answers"].to_pylist()[0]
    lone = lone_faults(judges, most or 0)
    try:
        judging = Judging(judges, services, contenders=models)
    except DefinitionError as error:
        raise (DefinitionError if lone else type(error))([*lone, *error.faults]) from None
    check(lone)
    budget_usd = earlier.budget_usd if budget_usd is None else budget_usd
    settings = Settings(
        budget_usd=None if budget_usd == math.inf else budget_usd,
        allow_unpriced=earlier.allow_unpriced if allow_unpriced is None else allow_unpriced,
        fresh=services.fresh if fresh is None else fresh,
    )
    if settings.budget_usd is not None and not settings.allow_unpriced:
        check(judging.unpriced())
    return lambda told: in_foreground(
        lambda commands: judging.judge(run_id, settings, commands=commands, told=told, anew=settings.fresh)
    )


def _lone(judges: Sequence[Judge], design: Design | None) -> list[str]:
    """Duels for which the design has no two answers."""
    if design is None:
        return []
    last = (place for place in design.places if design.is_last(place))
    counts = Counter((place.sample, place.repeat) for place in last)
    return lone_faults(judges, max(counts.values(), default=0))


def scored(
    judge: Judge,
    answers: Sequence[Generation],
    samples: Mapping[str, Sample],
    verdicts: Sequence[Generation],
) -> Iterator[Score]:
    """The score of each answer, by what the judge said."""
    at = datetime.now(UTC)
    judged = list[Generation]()
    for answer in answers:
        if (why := judge.lacks(sample_of(answer, samples))) is None:
            judged.append(answer)
        else:
            yield unjudged(judge, answer.generation_id, why, at)
    rows: defaultdict[str, list[Generation]] = defaultdict(list)
    for verdict in verdicts:
        rows[verdict.sample_id].append(verdict)
    if not judge.compares:
        for answer in judged:
            yield graded(judge, answer.generation_id, rows.get(answer.generation_id, ()), at)
        return
    pairs = {(one, other): of for shown, of in rows.items() for one, _, other in [shown.partition(" ")]}
    for same in to_one_sample(judged):
        yield from duelled(judge, [answer.generation_id for answer in same], pairs, at)


def _keep(scores: Sequence[Score], store: Store, told: Told) -> None:
    writer = store.writer()
    for score in scores:
        writer.put(score)
        told(score)
    writer.flush()


def _failed(judge: Judge, scores: Sequence[Score]) -> list[str]:
    reasons = Counter(score.error for score in scores if score.error is not None)
    if not reasons:
        return []
    ((reason, _),) = reasons.most_common(1)
    return [
        failure(
            judge.name, answers=len(scores), failed=reasons.total(), reason=str(reason), reasons=len(reasons)
        )
    ]
