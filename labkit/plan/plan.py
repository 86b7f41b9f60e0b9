"""A plan: a design that can be looked at, cut and priced before a cent is spent, and then run.

It knows what the lab already has for each cell, and why not for the others. It does not ask anything
itself: `run` and `start` hand the design to a run. It is one class over 300 lines, most of them the
docstrings of its verbs; each verb hands on to the module that does it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any

from labkit.arguments import able, check, whole
from labkit.arguments import seed as seeds
from labkit.datasets import Dataset
from labkit.datasets.dataset import counted, series
from labkit.design import Design, Place
from labkit.engine.retry import Policy
from labkit.errors import DefinitionError
from labkit.plan import show
from labkit.plan.ablation import ablate
from labkit.plan.estimate import Estimate
from labkit.plan.estimate_inputs import outlook
from labkit.plan.extension import begin
from labkit.plan.judge_estimate import judge_parts
from labkit.plan.known import Known
from labkit.plan.past_answers import history
from labkit.plan.power import Power
from labkit.plan.power_inputs import Question
from labkit.plan.power_inputs import power as power_of
from labkit.plan.study import Study
from labkit.prompts import Block
from labkit.run import Run, Settings
from labkit.visible import quoted

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("prompt", "step", "model", "sample_id", "repeat", "known", "why", "request_id")


@dataclass(frozen=True, kw_only=True)
class Plan(Study):
    """Prompts × models × samples × repeats, one cell per request. Made by `lab.plan`; frozen.

    >>> plan = lab.plan(prompts=["Say {{ word }}"], models=[echo], dataset=[{"word": "hi"}, {"word": "ho"}])
    >>> plan.head(1)
    1 prompt × 1 model × 1 sample × 1 repeat = 1 request; 0 known; USD 0.00
    """

    @property
    def plan_id(self) -> str:
        """A hash of the cells, the experiment and the workspace."""
        return self.design.plan_id

    def __len__(self) -> int:
        return len(self.design.places)

    # -- looking ---------------------------------------------------------------------------------

    @cached_property
    def known(self) -> Known:
        """What the lab already has for this plan's cells; looked up once, and again after each run."""
        return Known.look_up(self.design, self.services.store)

    def frame(self) -> pd.DataFrame:
        """One row per request: prompt, step (of a chain, its name; else ""), model, sample_id, repeat, known
        (bool), why (str: why not known, "" where it is), request_id (of a later step only once all before it
        is known), and the sample's columns as `sample.<name>`.

        Of a chain's later step `model` is as a contender's name: `facts: local/a, reply: openai/b`."""
        import pandas as pd

        design, samples = self.design, self.design.dataset.samples
        why = self.known.why
        rows = [
            (
                design.prompts[place.prompt].name,
                design.step_name(place) or "",
                design.contender(place),
                samples[place.sample].id,
                place.repeat,
                not why[position],
                why[position],
                place.request_id,
            )
            for position, place in enumerate(design.places)
        ]
        frame = pd.DataFrame(rows, columns=list(COLUMNS))
        for column in design.dataset.columns:
            cells = [samples[place.sample].fields.get(column) for place in design.places]
            frame[f"sample.{column}"] = series(cells)
        return frame

    def estimate(self, *, exact: bool = True, fresh: bool | None = None) -> Estimate:
        """What the plan will take: tokens, USD and time, each from its lowest to its highest, and on what
        that rests. Only what the lab does not know yet is in it.

        The true cost lies in the range 9 times in 10, if the lab has answers of these prompts on these models
        under the same params (`pilot` gets some), and if the rows to come are like those asked. Without such
        answers, each answer may have from 1 to `max_tokens` tokens, so the range is wide. Retries and
        failures are not in it.

        Args:
            exact: Let local models count their input themselves, which starts them; else it is estimated.
            fresh: As for `run`: count what is known as to be asked again.
        """
        to_ask: Sequence[Place] = self.design.places
        asks_again = self.services.fresh if fresh is None else fresh
        with self.services.store.one_opening():
            if not asks_again:
                to_ask = [place for place, why in zip(to_ask, self.known.why, strict=True) if why]
            seen = history(self.design, self.services.store) if to_ask else {}
            judging = judge_parts(self.design, self.scorers, self.services, fresh=asks_again)
        found = outlook(self.design, to_ask, services=self.services, exact=exact, seen=seen)
        return replace(found, judging=judging)

    def power(
        self,
        score: str | None = None,
        *,
        effect: float | None = None,
        by: str | Sequence[str] | None = None,
        level: float = 0.95,
        power: float = 0.8,
        guess: float | None = None,
        disagreement: float | None = None,
        sd: float | None = None,
    ) -> Power:
        """What these samples can show, before anything is asked: the smallest true difference that a verdict
        would decide with chance `power`, and the chance that it decides one of `effect`.

        Decided is as in `run.verdict`: at `level`, over all pairs, if all answers come and are scored and
        samples are independent.

        Args:
            score: Which score; by default that of the first scorer.
            effect: A difference, in the score's unit: 0.05 is 5 points of a score from 0 to 1.
            by: What is compared, as in `run.verdict`: by default models, or prompts where there is one model.
            level: How sure a decision is to be.
            power: With which chance the smallest difference is to be decided.
            guess: The share of right answers that you expect.
            disagreement: The share of samples on which you expect exactly one of two to be right.
            sd: The standard deviation that you expect of the difference on one sample.

        At most one of the last three is given. Without any it goes by scores in the lab: of these contenders,
        else of others, on samples of this dataset or experiment. Where there are none either, two are taken
        to disagree on 30 % of samples in a score of 0 or 1; an own scorer says that it is one by `-> bool`.
        What it goes by stands in the sentence. Raises `DefinitionError` that says what to write, also for
        other scores of which nothing is known.

        >>> models = [echo.replace(id=f"scripted/{name}") for name in "ab"]
        >>> plan = lab.plan(prompts=["Say {{ n }}"], models=models, dataset=[{"n": n} for n in range(50)])
        >>> plan.power("exact", effect=0.1, disagreement=0.2).detectable > 0.1
        True
        """
        question = Question(
            effect=effect, level=level, power=power, guess=guess, disagreement=disagreement, sd=sd
        )
        return power_of(self.design, self.scorers, self.services.store, question, score=score, by=by)

    # -- cutting ---------------------------------------------------------------------------------

    def select(self, chosen: Any) -> Plan:
        """Only some cells: a boolean mask over `frame()`, or rows of it (any frame with its index)."""
        import numpy as np
        import pandas as pd

        if isinstance(chosen, pd.DataFrame):
            positions = [int(position) for position in chosen.index]
        else:
            mask = np.asarray(chosen)
            if mask.dtype != bool or mask.shape != (len(self),):
                got = f"{mask.dtype} of shape {mask.shape}"
                raise DefinitionError(
                    f"select takes a mask of {len(self)} booleans or rows of plan.frame(); got {got}."
                )
            positions = [int(position) for position in np.flatnonzero(mask)]
        strangers = [position for position in positions if not 0 <= position < len(self)]
        if strangers or len(set(positions)) != len(positions):
            raise DefinitionError(
                f"select takes each row of plan.frame() at most once; it has rows 0 to {len(self) - 1}"
            )
        return self._keep(positions)

    def head(self, n: int = 5) -> Plan:
        """The cells of the first `n` samples."""
        wanted = {place.sample for place in self.design.places}
        first = set(sorted(wanted)[: counted(n)])
        return self._keep(i for i, place in enumerate(self.design.places) if place.sample in first)

    def sample(self, n: int, *, seed: int = 0) -> Plan:
        """The cells of `n` samples drawn at random."""
        check(seeds(seed))
        wanted = sorted({place.sample for place in self.design.places})
        drawn = set(Random(seed).sample(wanted, min(counted(n), len(wanted))))  # noqa: S311 - a draw, not a secret
        return self._keep(i for i, place in enumerate(self.design.places) if place.sample in drawn)

    def over(self, dataset: Dataset) -> Plan:
        """The same cells with `dataset` as the one they are drawn from; it holds every sample of them.

        What is not among the cells can then be asked by `run.more(rows=…)`.
        """
        check(able("dataset", dataset, "samples", like="a Dataset: plan.design.dataset"))
        design, place_of = self.design, {sample.id: i for i, sample in enumerate(dataset.samples)}
        samples = design.dataset.samples
        places = [place._replace(sample=place_of[samples[place.sample].id]) for place in design.places]
        messages = {
            (prompt, place_of[samples[sample].id]): sent for (prompt, sample), sent in design.messages.items()
        }
        moved = replace(design, dataset=dataset, places=tuple(places), messages=messages)
        return replace(self, design=moved)

    def _keep(self, positions: Iterable[int]) -> Plan:
        return replace(self, design=self.design.keep(positions))

    # -- measuring blocks ------------------------------------------------------------------------

    def ablate(
        self,
        blocks: Sequence[str | Block] | None = None,
        *,
        design: str = "auto",
        needs: Mapping[str, str | Sequence[str]] | None = None,
    ) -> Plan:
        """The plan with each prompt in several sets of its blocks, so that `run.ablation()` can tell what
        each block is worth. It is an ordinary plan: its line tells blocks, sets, requests, price, and what
        the sets cannot tell apart. Prompts without blocks stay as they are.

        Args:
            blocks: The blocks to measure, by name; by default all. Others stay in every set.
            design: `auto`: all sets to 4 blocks, half of them at 5 (resolution V: effects of pairs are told
                apart), 16 sets at 6 to 8 (resolution IV: of blocks, not of pairs), Plackett and Burman's 12
                at 9 to 11 and 16 at 12 (blocks alone). `full`: all sets, to 8 blocks. `each`: all blocks,
                and all but one: what each adds beside all the others, dearly bought.
            needs: Blocks that make no sense without others: `{"style": "examples"}` leaves out the sets with
                `style` and without `examples`.

        Raises one `DefinitionError` naming all that is wrong: fewer than two blocks or more than 12, blocks
        of one text, a block that the prompt's own text names, names that are not there.

        >>> import labkit as lk
        >>> blocks = [lk.Block("style", "Write plainly."), lk.Block("policy", "Refund nothing.")]
        >>> plan = lab.plan(prompts=["Answer: {{ n }}"], models=[echo], dataset=[{"n": 1}], context=blocks)
        >>> len(plan.ablate())
        4
        """
        return ablate(self, blocks, design, needs)

    # -- running ---------------------------------------------------------------------------------

    def start(
        self,
        *,
        budget_usd: float | None = None,
        allow_unpriced: bool = False,
        fresh: bool | None = None,
        policy: Policy | None = None,
        progress: str | None = None,
    ) -> Run:
        """Begin, and return a handle at once: `await run`, `run.wait()`, `run.stop()`, `run.status`.

        Continues an unfinished run of the same plan, else begins a new one.

        Args:
            budget_usd: The most that this run may spend, over all its launches: an unfinished run keeps its
                last where none is given, and `math.inf` lifts it.
            allow_unpriced: Ask models without a known price under a budget too.
            fresh: Ask again what is known already; by default False, or True where `$LABKIT_FRESH` is set.
            policy: How long to wait and how often to retry.
            progress: How it is shown: `grid`, `table`, `lines` or `none`; by default what fits the place.

        Raises `DefinitionError` (`MissingKey`), `StoreError` or `RunBusy` before anything is asked.
        """
        if not isinstance(policy, Policy | None):
            raise DefinitionError(f"policy is {quoted(policy)}; use lk.Policy(…).")
        settings = Settings(
            fresh=self.services.fresh if fresh is None else fresh,
            budget_usd=budget_usd,
            allow_unpriced=allow_unpriced,
            policy=policy or Policy(),
            seed=self.seed,
        )
        run = begin(self, settings, progress=progress)
        self.__dict__.pop("known", None)
        return run

    def run(
        self,
        *,
        budget_usd: float | None = None,
        allow_unpriced: bool = False,
        fresh: bool | None = None,
        policy: Policy | None = None,
        progress: str | None = None,
    ) -> Run:
        """`start`, with its arguments, then wait.

        Ctrl-C asks nothing more and keeps what is in flight; a second Ctrl-C ends at once.
        """
        run = self.start(
            budget_usd=budget_usd,
            allow_unpriced=allow_unpriced,
            fresh=fresh,
            policy=policy,
            progress=progress,
        )
        run.wait()
        self.__dict__.pop("known", None)
        return run

    def pilot(
        self,
        n: int = 10,
        *,
        budget_usd: float | None = None,
        allow_unpriced: bool = False,
        fresh: bool | None = None,
        policy: Policy | None = None,
        progress: str | None = None,
    ) -> Run:
        """Ask `n` cells of each prompt × model first, of samples drawn at random by the plan's seed, so that
        `estimate` tells lengths and times from their answers.

        It is an ordinary run of a part of this plan: its rows stay in the lab, and the full run replays them
        for nothing (not those of a model without identity, and not where that run is `fresh`). The other
        arguments are those of `run`. Raises as `run` does, and `DefinitionError` for an `n` that is no
        whole number.

        >>> plan = lab.plan(prompts=["Say {{ n }}"], models=[echo], dataset=[{"n": n} for n in range(50)])
        >>> plan.pilot(5, progress="none").status, plan.estimate().known
        ('finished', 5)
        """
        part = self._keep(pilot_cells(self.design, n, seed=self.seed))
        run = part.run(
            budget_usd=budget_usd,
            allow_unpriced=allow_unpriced,
            fresh=fresh,
            policy=policy,
            progress=progress,
        )
        self.__dict__.pop("known", None)
        return run

    # -- showing ---------------------------------------------------------------------------------

    def __str__(self) -> str:
        told, power = show.line(self.design, self.estimate(exact=False), self.remarks()), self._power()
        return f"{told}; {power.short}" if power and power.seen else told

    __repr__ = __str__

    def _repr_html_(self) -> str:
        missing = self.services.missing_keys(self.design.models)
        estimate, power = self.estimate(exact=False), self._power()
        told = self.remarks()
        return show.table(self.design, estimate, self.known, missing=missing, power=power, remarks=told)

    def _power(self) -> Power | None:
        try:
            return self.power()
        except DefinitionError:  # nothing to decide, or nothing to go by
            return None


def pilot_cells(design: Design, n: int, *, seed: int) -> list[int]:
    """Positions of `n` cells per prompt × model, of as many different samples as there are.

    Samples are put in one random order for the whole design, so that prompts and models are asked the same
    ones as far as they have them, and a larger `n` draws what a smaller one drew and more. Repeats come
    where there are fewer samples than `n`. Raises `DefinitionError` unless `n` is a whole number from 1 up.
    """
    check(whole("n", n))
    order = sorted({place.sample for place in design.places})
    Random(f"pilot/{seed}").shuffle(order)  # noqa: S311 - a draw, not a secret
    rank = {sample: position for position, sample in enumerate(order)}
    times: Counter[tuple[Any, ...]] = Counter()
    ranked: list[tuple[int, int, int]] = []
    for position, place in enumerate(design.places):  # places come repeat by repeat
        if design.is_last(place):  # a chain is kept whole where its last step is
            asked = place.prompt, place.sample, place.line or place.model
            ranked.append((times[asked], rank[place.sample], position))
            times[asked] += 1
    taken: Counter[tuple[Any, ...]] = Counter()
    chosen = []
    for _, _, position in sorted(ranked):
        place = design.places[position]
        pair = place.prompt, place.line or place.model
        if taken[pair] < n:
            taken[pair] += 1
            chosen.append(position)
    return sorted(chosen)
