"""Judging a run's answers: what judges are asked about them, in runs of the kind `judge`, and the scores.

A verdict is a generation like any other, so that replay, limits, budget and journal hold for it; its run has
the judged one for parent. It does not know how a verdict is put in words, nor how it is read.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations

from labkit.arguments import check
from labkit.datasets import of_samples
from labkit.design import Design, Place, build
from labkit.dollars import usd
from labkit.errors import DefinitionError, MissingKey, RunBusy
from labkit.identity import new_run_id
from labkit.prompts import Prompt
from labkit.records import Cell, Generation, Sample, Score
from labkit.run import replaying, score_answers, unasked
from labkit.run.earlier import Earlier
from labkit.run.in_foreground import in_foreground
from labkit.run.judge_bounds import JudgeBounds
from labkit.run.lab_services import LabServices
from labkit.run.launch import Launch, Settings
from labkit.run.launch_commands import LaunchCommands
from labkit.run.stored import Stored
from labkit.scoring import Scorer
from labkit.scoring.judge_models import Asked, asked, lone_faults
from labkit.scoring.judge_scores import duelled, graded, unjudged
from labkit.scoring.judges import Judge
from labkit.scoring.verdict_request import MATERIAL
from labkit.store import Store
from labkit.summary.unscored import failure

Told = Callable[[Score], None]
_PROMPTS = """
    select distinct prompt, prompt_version from generations
    where run_id = ? and prompt_version is not null order by all
"""
_MODELS = "select distinct model from steps where run_id = ? order by model"
_MOST = """
    select max(answers) as answers from (
        select count(*) as answers from generations
        where run_id = ? and status = 'done' group by sample_id, "repeat"
    )
"""
_VERDICTS = "select {columns} from steps where run_id = ?"


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
        nothing, unless it is asked afresh."""
        if self._bounds is None:
            return 0.0
        store = self._services.store
        with store.complete_opening():
            answers = list(score_answers.answers(run_id, store))
            samples, prompts = store.samples(run_id), prompts_of(run_id, store)
            known = defaultdict[str, Counter[tuple[str, int]]](Counter)
            for judge in () if fresh or not answers else self._judges:
                who = self._asked[judge.name]
                shown = shown_columns(prompts, samples)
                design = judge_design(judge, who, answers, samples, shown, experiment="", workspace="")
                have = replaying.look_up(store, design, design.places).matching()
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
            design = _built(judge, self._asked[judge.name], [blank], experiment="", workspace="")
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
    ) -> list[str]:
        """Ask about every finished answer of the run, and give each its scores; a sentence for each judge
        that failed, or was not asked to the end. What is known already is not asked again.

        `settings` are the run's: its budget counts what judges cost. `commands` is who may stop it; `told`
        hears each score. Raises `StoreError`.
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
            if not design.places:
                continue
            try:
                verdicts, left = ask(
                    judge,
                    design,
                    self._services,
                    settings,
                    commands,
                    parent_run_id=run_id,
                    progress=self._progress,
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
        lambda commands: judging.judge(run_id, settings, commands=commands, told=told)
    )


def prompts_of(run_id: str, store: Store) -> list[Prompt]:
    """The prompts that the run asked, in the versions that it asked."""
    return [
        prompt
        for row in store.table(_PROMPTS, [run_id]).to_pylist()
        for prompt in store.saved_prompts(row["prompt"])
        if prompt.version == row["prompt_version"]
    ]


def judge_design(
    judge: Judge,
    who: Asked,
    answers: Sequence[Generation],
    samples: Mapping[str, Sample],
    shown: Sequence[str],
    *,
    experiment: str,
    workspace: str,
) -> Design:
    """What the judge is asked about these answers: a cell for each (of a duel for each two, in both orders)
    and each of its models. `shown` are the columns of samples that it sees."""
    cells, judged = list[Sample](), dict[str, str]()
    for pair in compared(judge, answers, samples):
        of, id_ = pair[0], cell_id(pair)
        sample = sample_of(of, samples)
        material = judge.material(sample, shown, *(answer.text or "" for answer in pair))
        cells.append(Sample(id=id_, fields={MATERIAL: material}))
        judged[id_] = of.generation_id
    design = _built(judge, who, cells, experiment=experiment, workspace=workspace)
    return replace(design, judged=judged)


def _built(judge: Judge, who: Asked, cells: Sequence[Sample], *, experiment: str, workspace: str) -> Design:
    return build(
        experiment=experiment,
        workspace=workspace,
        prompts=[judge.prompt],
        models=who.models,
        params=who.params,
        dataset=of_samples(cells, name=judge.prompt.name),
        share=True,  # the same text is judged once
    )


def sample_of(answer: Generation, samples: Mapping[str, Sample]) -> Sample:
    """What was answered; one without columns where the lab has it no more."""
    return samples.get(answer.sample_id, Sample(id=answer.sample_id, fields={}))


def compared(
    judge: Judge, answers: Sequence[Generation], samples: Mapping[str, Sample]
) -> Iterator[tuple[Generation, ...]]:
    """What is shown together: each answer, or each two to a sample and repeat, in both orders. Those to
    samples without a reference, where the judge has one, are not judged."""
    answers = [answer for answer in answers if judge.lacks(sample_of(answer, samples)) is None]
    if not judge.compares:
        yield from ((answer,) for answer in answers)
        return
    for same in _to_one_sample(answers):
        yield from permutations(same, 2)


def cell_id(pair: Sequence[Generation]) -> str:
    """How the cell is called in which these answers are judged, in the order in which they are shown."""
    return " ".join(answer.generation_id for answer in pair)


def _to_one_sample(answers: Sequence[Generation]) -> list[list[Generation]]:
    groups: defaultdict[tuple[str, int], list[Generation]] = defaultdict(list)
    for answer in answers:
        groups[answer.sample_id, answer.repeat].append(answer)
    return list(groups.values())


def shown_columns(prompts: Sequence[Prompt], samples: Mapping[str, Sample]) -> list[str]:
    """What a judge is shown of a sample: the columns that the prompts use."""
    columns = dict.fromkeys(column for sample in samples.values() for column in sample.fields)
    if any(prompt.takes_row for prompt in prompts):
        return list(columns)
    used = dict.fromkeys(name for prompt in prompts for name in prompt.variables)
    return [name for name in used if name in columns]


# -- asking --------------------------------------------------------------------------------------------------


def ask(
    judge: Judge,
    design: Design,
    services: LabServices,
    settings: Settings,
    commands: LaunchCommands,
    *,
    parent_run_id: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> tuple[list[Generation], str | None]:
    """Ask what the lab does not know of a judge's design; every verdict, and why some are lacking."""
    store = services.store
    keys = services.find_keys(design.models)
    with ExitStack() as driving:
        with store.one_opening():
            # Two that judge the same answers in one moment would both pay for it.
            driving.enter_context(store.drive(design.plan_id, called=f"{judge!r} of this run"))
            unfinished = store.unfinished(design.plan_id, fresh=settings.fresh)
            run_id = unfinished or new_run_id()
            driving.enter_context(store.drive(run_id))
            stored = Stored.read(
                design, services, run_id=run_id, resumed=unfinished is not None, fresh=settings.fresh
            )
            # One purse: what the judged run and its judges spent so far is spent.
            spent = stored.earlier._replace(spent_usd=store.spent(parent_run_id or run_id))
        launch = Launch(
            design,
            run_id=run_id,
            resumed=unfinished is not None,
            services=services,
            keys=keys,
            scorers=(judge,),
            settings=replace(settings, settles=False),
            stored=stored._replace(earlier=spent),
            watcher=_Counting(judge, design, progress),
            parent_run_id=parent_run_id,
        )
        with commands.handed_over(launch):
            ended = launch.drive()
    columns = ", ".join(f'"{name}"' for name in Generation.__struct_fields__ if name != "raw")
    with store.complete_opening():
        rows = store.table(_VERDICTS.format(columns=columns), [run_id]).to_pylist()
    return [Generation(**row) for row in rows], ended.left


def _lone(judges: Sequence[Judge], design: Design | None) -> list[str]:
    """Duels for which the design has no two answers."""
    if design is None:
        return []
    last = (place for place in design.places if design.is_last(place))
    counts = Counter((place.sample, place.repeat) for place in last)
    return lone_faults(judges, max(counts.values(), default=0))


class _Counting:
    """Hears a judge's run, and tells how far it is."""

    keeps_text = False

    def __init__(self, judge: Judge, design: Design, progress: Callable[[str], None] | None) -> None:
        self._called, self._progress = repr(judge), progress
        self._total, self._ended, self._usd = len(design.places), 0, 0.0

    def planned(self, total: Mapping[str, int], settled: Mapping[str, int]) -> None:
        self._ended = sum(settled.values())
        self._tell()

    def ended(self, generation: Generation) -> None:
        self._ended += 1
        self._usd += generation.cost_usd or 0.0 if generation.replayed_from is None else 0.0
        self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            cost = f", USD {usd(self._usd)}" if self._usd else ""
            self._progress(f"{self._called}: {self._ended:,} of {self._total:,} verdicts{cost}")

    def queued(self, cell: Cell) -> None: ...

    def sent(self, cell: Cell, attempt: int) -> None: ...

    def text(self, cell: Cell, delta: str) -> None: ...

    def waiting(self, cell: Cell, seconds: float, why: str) -> None: ...

    def scored(self, score: Score) -> None: ...


# -- scores --------------------------------------------------------------------------------------------------


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
    for same in _to_one_sample(judged):
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
