"""The most that judging an answer can cost, before it is there and once it is: what a budget sets aside.

It computes, and asks nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from labkit import tokens
from labkit.catalog.model import Model
from labkit.design import Design, Place
from labkit.engine.job import bound_usd, output_bound_tokens
from labkit.records import Generation, Request, Sample
from labkit.run.lab_services import LabServices
from labkit.scoring.judge_models import Asked
from labkit.scoring.judges import Judge
from labkit.scoring.verdict_request import LONGEST_PART, MATERIAL, as_shown

LONGEST_BYTES = 4 * (LONGEST_PART + 50)
"""Of one part as a judge is shown it, in UTF-8, with what tells that it is cut."""

Known = Mapping[str, Mapping[tuple[str, int], int]]
"""How many verdicts on an answer the lab has, by its generation_id, then by the judge's name and the position
of its model; of two that are compared it is the one shown first."""


class JudgeBounds:
    """What judges may cost for the answers of one design. `shown` are the columns that they see."""

    def __init__(
        self,
        judges: Sequence[Judge],
        asked: Mapping[str, Asked],
        design: Design,
        services: LabServices,
        *,
        shown: Sequence[str],
    ) -> None:
        self._judges, self._design, self._shown = judges, design, shown
        self._priced = {
            judge.name: [
                (model, params, services.pricer(model, params))
                for model, params in zip(*asked[judge.name], strict=True)
            ]
            for judge in judges
        }
        last = [place for place in design.places if design.is_last(place)]
        self._others = Counter((design.dataset.samples[place.sample].id, place.repeat) for place in last)
        self._samples = {sample.id: sample for sample in design.dataset.samples}
        self._longest = max((self._bytes(place) for place in last), default=0)
        self._tokens = cache(self._without_answers)

    def before_usd(self, place: Place) -> tuple[float, ...]:
        """Of each request about the answer to this place; 0 where nobody knows."""
        sample = self._design.dataset.samples[place.sample].id
        return tuple(self._each(sample, place.repeat, self._bytes(place), {}))

    def after_usd(self, row: Generation, known: Known | None = None) -> float:
        """Of all requests about this answer but the verdicts that are `known`."""
        size = len(as_shown(row.text or "").encode("utf-8", "surrogatepass"))
        of = {} if known is None else known.get(row.generation_id, {})
        return sum(self._each(row.sample_id, row.repeat, size, of))

    def _bytes(self, place: Place) -> int:
        """Of an answer that is to come, as a judge is shown it."""
        limit = output_bound_tokens(self._design.request(place, ()), self._design.models[place.model])
        return LONGEST_BYTES if limit is None else min(limit * tokens.BYTES_PER_TOKEN, LONGEST_BYTES)

    def _each(
        self, sample: str, repeat: int, size: int, known: Mapping[tuple[str, int], int]
    ) -> Iterator[float]:
        of = self._samples.get(sample, Sample(id=sample, fields={}))
        for judge in self._judges:
            if judge.lacks(of) is not None:
                continue
            others = self._others[sample, repeat] - 1
            for m, (model, params, pricer) in enumerate(self._priced[judge.name]):
                without = self._tokens(judge, m, sample)
                total = without + size + (self._longest if judge.compares else 0)
                usd = bound_usd(_request(model, params), model, pricer, total) or 0.0
                asked = others if judge.compares else 1
                yield from (usd,) * (asked - known.get((judge.name, m), 0))

    def _without_answers(self, judge: Judge, m: int, sample: str) -> int:
        of = self._samples.get(sample, Sample(id=sample, fields={}))
        answers = ("", "") if judge.compares else ("",)
        messages = judge.prompt.render({MATERIAL: judge.material(of, self._shown, *answers)})
        return tokens.bound(messages, params=self._priced[judge.name][m][1])


def _request(model: Model, params: Mapping[str, Any]) -> Request:
    return Request(
        request_id="",
        provider=model.provider,
        dialect=model.dialect,
        endpoint="",
        model=model.id,
        name=model.name,
        messages=(),
        params=dict(params),
    )
