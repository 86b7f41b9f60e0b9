"""A plan: a design that can be looked at, cut and priced before a cent is spent, and then run.

It knows what the lab already has for each cell, and why not for the others. It does not ask anything
itself: `run` and `start` hand the design to a run.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from random import Random
from typing import TYPE_CHECKING, Any

from labkit.datasets import Dataset
from labkit.design import Design, Place
from labkit.engine.retry import Policy
from labkit.errors import DefinitionError
from labkit.plan.estimate import Estimate
from labkit.plan.growth import more
from labkit.plan.known import Known
from labkit.plan.outlook import outlook
from labkit.run import Bench, Run, Settings
from labkit.scoring import Scorer
from labkit.visible import shown

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("prompt", "model", "sample_id", "repeat", "known", "why", "request_id")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Prompts × models × samples × repeats, one cell per request. Made by `lab.plan`; frozen.

    >>> plan = lab.plan(prompts=["Say {{ word }}"], models=[echo], dataset=[{"word": "hi"}, {"word": "ho"}])
    >>> plan.head(1)
    1 prompt × 1 model × 1 sample × 1 repeat = 1 request; 0 known; USD 0.00
    """

    design: Design
    scorers: tuple[Scorer, ...]
    seed: int
    bench: Bench
    """The lab's store, catalog and keys, as a run needs them."""

    @property
    def plan_id(self) -> str:
        """A hash of the cells, the experiment and the workspace."""
        return self.design.plan_id

    def __len__(self) -> int:
        return len(self.design.places)

    # -- looking ---------------------------------------------------------------------------------

    @cached_property
    def known(self) -> Known:
        """What the lab already has for this plan's cells; looked up once."""
        return Known.look_up(self.design, self.bench.store)

    def frame(self) -> pd.DataFrame:
        """One row per cell: prompt, model, sample_id, repeat, known (bool), why (str: why not known,
        "" where it is), request_id, and the sample's columns as `sample.<name>`."""
        import pandas as pd

        design, samples = self.design, self.design.dataset.samples
        why = self.known.why
        rows = [
            (
                design.prompts[place.prompt].name,
                design.models[place.model].id,
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
            frame[f"sample.{column}"] = [samples[place.sample].fields.get(column) for place in design.places]
        return frame

    def estimate(self, *, exact: bool = True) -> Estimate:
        """Tokens and USD for what is still to be asked, low and high, with the assumptions.

        `exact` lets local models count their input themselves, which starts their servers.
        """
        to_ask = [place for place, why in zip(self.design.places, self.known.why, strict=True) if why]
        return outlook(self.design, to_ask, bench=self.bench, exact=exact)

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
        first = set(sorted(wanted)[:n])
        return self._keep(i for i, place in enumerate(self.design.places) if place.sample in first)

    def sample(self, n: int, *, seed: int = 0) -> Plan:
        """The cells of `n` samples drawn at random."""
        wanted = sorted({place.sample for place in self.design.places})
        drawn = set(Random(seed).sample(wanted, min(n, len(wanted))))  # noqa: S311 - a draw, not a secret
        return self._keep(i for i, place in enumerate(self.design.places) if place.sample in drawn)

    def over(self, dataset: Dataset) -> Plan:
        """The same cells with `dataset` as the one they are drawn from; it holds every sample of them.

        What is not among the cells can then be asked by `run.more(rows=…)`.
        """
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

        Continues an unfinished run of the same plan, else begins a new one. `fresh` asks again what is
        known already; its default is False, or True where `$LABKIT_FRESH` is set. `policy` says how
        long to wait and how often to retry; `progress` is `table`, `lines` or `none`.
        Raises `DefinitionError` (`MissingKey`), `StoreError` or `RunBusy` before anything is asked.
        """
        settings = Settings(
            fresh=self.bench.fresh if fresh is None else fresh,
            budget_usd=budget_usd,
            allow_unpriced=allow_unpriced,
            policy=policy or Policy(),
            seed=self.seed,
        )
        run = Run.start(
            self.design,
            bench=self.bench,
            scorers=self.scorers,
            settings=settings,
            progress=progress,
            title=str(self),
        )
        run.grown_by(partial(more, self))
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
        """`start`, then wait. Ctrl-C asks nothing more and keeps what is in flight; twice ends at once."""
        run = self.start(
            budget_usd=budget_usd,
            allow_unpriced=allow_unpriced,
            fresh=fresh,
            policy=policy,
            progress=progress,
        )
        run.wait()
        return run

    # -- showing ---------------------------------------------------------------------------------

    def __str__(self) -> str:
        return f"{_product(self.design)}; {self._outlook()}"

    __repr__ = __str__

    def _outlook(self) -> str:
        estimate = self.estimate(exact=False)
        time = "" if estimate.seconds is None else f"; about {_duration(estimate.seconds)}"
        return f"{estimate.known} known; {estimate.cost}{time}"

    def _repr_html_(self) -> str:
        reasons = "".join(
            f"<tr><td style='text-align:left'>{html.escape(why)}</td><td>{count}</td></tr>"
            for why, count in self.known.reasons().items()
        )
        head = "<thead><tr><th>to ask, because</th><th>cells</th></tr></thead>"
        why = f"<table>{head}<tbody>{reasons}</tbody></table>"
        missing = self.bench.missing_keys(self.design.models)
        keys = "".join(f"<div>{html.escape(shown(fault))}</div>" for fault in missing)
        return (
            f"<div><b>{html.escape(shown(self.design.experiment))}</b>: {_product(self.design)}</div>{keys}"
            f"{self.estimate(exact=False)._repr_html_()}{why if reasons else ''}"
        )


def _product(design: Design) -> str:
    places: Sequence[Place] = design.places
    counts = (
        (len({place.prompt for place in places}), "prompt"),
        (len({place.model for place in places}), "model"),
        (len({place.sample for place in places}), "sample"),
        (len({place.repeat for place in places}), "repeat"),
    )
    product = " × ".join(_plural(count, noun) for count, noun in counts)
    whole = counts[0][0] * counts[1][0] * counts[2][0] * counts[3][0] == len(places)
    return f"{product} {'=' if whole else '→'} {_plural(len(places), 'request')}"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
