"""How many input tokens the requests of a plan have: at least, at most and likely.

Counted by tiktoken where its vocabulary is here, exactly by the local server, else from the text's length;
and set right by what the provider itself counted, where it has answered the same prompt. It knows no price.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from statistics import fmean, stdev

from labkit import tokens
from labkit.catalog.model import Model
from labkit.design import Design
from labkit.plan.past_answers import Seen
from labkit.records import Message

ROUGHLY_TIKTOKEN, ROUGHLY_BYTES = 0.02, 0.25
"""How far a count from tiktoken (the chat format is not promised) or from bytes may be off, each way."""
TOLD = 5
"""From so many answers on, counts are set right by what the provider counted."""

Count = Callable[[Model, Sequence[Message]], tuple[int, int, str]]
"""A model and messages → lowest and highest input tokens, and how they were counted."""
Ends = tuple[float, float, float]
"""At least, at most, likely."""


def count(model: Model, messages: Sequence[Message]) -> tuple[int, int, str]:
    """Input tokens without asking anybody. An estimate from length is widened by a quarter each way, which
    holds for English; other languages and code may lie beyond until answers set it right."""
    counted = tokens.estimate(model, messages)
    slack = 0 if counted.exact else ROUGHLY_TIKTOKEN if tokens.vocabulary(model) else ROUGHLY_BYTES
    return int(counted.tokens * (1 - slack)), math.ceil(counted.tokens * (1 + slack)), counted.how


class Counts:
    """The input of one prompt's samples for one model; each is counted once.

    `samples` (positions in the dataset) are those to be asked. Where five or more samples were answered, a
    count's middle is multiplied by the mean of true ÷ counted, with Student's prediction interval for the
    mean of as many as are to come.
    """

    def __init__(
        self,
        design: Design,
        prompt: int,
        model: int,
        *,
        samples: Collection[int],
        counter: Count = count,
        past: Seen | None = None,
        level: float = 0.9,
    ) -> None:
        self.ways: set[str] = set()
        """How they were counted, in words."""
        self.right = ""
        """By what they were set right, in words."""
        self._design, self._prompt, self._model = design, prompt, design.models[model]
        self._counter = counter
        self._counts: dict[int, tuple[int, int]] = {}
        self._factor = self._true_by_counted(past, samples, level) if past else None

    def of(self, sample: int) -> Ends:
        """What one sample's request has."""
        low, high = self._count(sample)
        middle = (low + high) / 2
        if self._factor is None:
            return low, high, middle
        least, most, likely = self._factor
        return middle * least, middle * most, middle * likely

    def _count(self, sample: int) -> tuple[int, int]:
        if sample not in self._counts:
            low, high, how = self._counter(self._model, self._design.messages[self._prompt, sample])
            self._counts[sample] = low, high
            self.ways.add(how)
        return self._counts[sample]

    def _true_by_counted(self, past: Seen, samples: Collection[int], level: float) -> Ends | None:
        if len(past.input_tokens) < TOLD or all(low == high for low, high in map(self._count, samples)):
            return None
        place = {sample.id: position for position, sample in enumerate(self._design.dataset.samples)}
        ratios = [
            2 * true / max(1, sum(self._count(place[sample])))
            for sample, true in past.input_tokens.items()
            if sample in place and (self._prompt, place[sample]) in self._design.messages
        ]
        if len(ratios) < TOLD:
            return None
        from labkit.stats.intervals import student

        n, likely = len(ratios), fmean(ratios)
        half = student(n - 1, level) * stdev(ratios) * math.sqrt(1 / n + 1 / len(samples))
        self.right = f"set right by what the provider counted for {n} answers"
        return max(0.0, likely - half), likely + half, likely
