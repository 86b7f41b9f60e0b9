"""How many input tokens the requests of a plan have: at least, at most and likely.

Counted by tiktoken where its vocabulary is here, exactly by the local server, else from the text's length;
and set right by what the provider itself counted, where it has answered the same prompt. It knows no price.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from labkit import tokens
from labkit.catalog.model import Model
from labkit.design import Design, Place
from labkit.plan.past_answers import Seen
from labkit.records import Message

ROUGHLY_TIKTOKEN, ROUGHLY_BYTES = 0.02, 0.25
"""How far a count from tiktoken (the chat format is not promised) or from bytes may be off, each way."""
UNBOUNDED_OUTPUT_TOKENS = 4096
"""What an answer is assumed to have at most where no limit is known."""
UNSEEN_LONGEST = 2
"""What an answer is assumed to have at most where no limit is known, or holds: so many times what the longest
seen has, and `UNBOUNDED_OUTPUT_TOKENS`."""
TOLD = 5
"""From so many answers on, counts are set right by what the provider counted."""

Count = Callable[[Model, Sequence[Message]], tuple[int, int, str]]
"""A model and messages → lowest and highest input tokens, and how they were counted."""
Ends = tuple[float, float, float]
"""At least, at most, likely."""


class Line(NamedTuple):
    """True input tokens: `more` + (`times` ± `off`) for each token that was counted."""

    more: float
    times: float
    off: float


def count(model: Model, messages: Sequence[Message]) -> tuple[int, int, str]:
    """Input tokens without asking anybody. An estimate from length is widened by a quarter each way, which
    holds for English; other languages and code may lie beyond until answers set it right."""
    counted = tokens.estimate(model, messages)
    slack = 0 if counted.exact else ROUGHLY_TIKTOKEN if tokens.vocabulary(model) else ROUGHLY_BYTES
    return int(counted.tokens * (1 - slack)), math.ceil(counted.tokens * (1 + slack)), counted.how


def output_limit(model: Model, params: Mapping[str, Any]) -> tuple[int, str, bool]:
    """The most an answer can have, in which words, and whether that is sure."""
    names = ("max_tokens", "max_completion_tokens", "max_output_tokens")
    if given := [(params[name], name, True) for name in names if isinstance(params.get(name), int)]:
        return max(given)
    if model.max_output:
        return model.max_output, "the model's limit; set max_tokens to narrow it", True
    return UNBOUNDED_OUTPUT_TOKENS, "assumed; set max_tokens", False


class Counts:
    """The input of one prompt, or of one step, for one model; each sample is counted once.

    `places` are those to be asked, one for each sample. Where five or more samples were answered, the true
    counts are taken to lie about a line over those counted (what a provider adds to each request, and its
    tokens for each of ours), with Student's prediction interval for the sum of those to come. It does not
    know of texts of another kind than those answered, such as a few rows in another language, and the words
    say so: where the pilot had none of them, the sum lies beyond its range.

    What a later step sends is known without the answers in it, so each request may have from none to the
    longest there. Answers can be of any length, which no line tells: what was counted beyond the text is
    taken as output is (`labkit.stats.total_interval`)."""

    def __init__(
        self,
        design: Design,
        places: Sequence[Place],
        *,
        counter: Count = count,
        past: Seen | None = None,
        level: float = 0.9,
    ) -> None:
        self.ways: set[str] = set()
        """How they were counted, in words."""
        self.right = ""
        """By what they were set right, in words."""
        self._design, self._place = design, places[0]
        self._counter = counter
        self._counts: dict[int, tuple[int, int]] = {}
        samples = [place.sample for place in places]
        self._line: Line | None = None
        self._beyond: Ends | None = None
        if past is not None and (pairs := self._answered(past, samples)):
            if self._place.before is None:
                self._line = _line(pairs, [self._middle(sample) for sample in samples], level)
            else:
                self._beyond = self._beyond_the_text(pairs, samples, level)

    def of(self, sample: int) -> Ends:
        """What one sample's request has."""
        low, high = self._count(sample)
        middle = self._middle(sample)
        if self._beyond is not None:
            least, most, mean = self._beyond
            return low + least, low + most, low + mean
        if self._line is None:
            return low, high, middle
        likely = max(0.0, self._line.more + self._line.times * middle)
        return max(0.0, likely - self._line.off * middle), likely + self._line.off * middle, likely

    def _count(self, sample: int) -> tuple[int, int]:
        if sample not in self._counts:
            place = self._place._replace(sample=sample)
            model = self._design.models[place.model]
            low, high, how = self._counter(model, self._design.outline(place))
            answers = self._answers(place)
            self._counts[sample] = low, high + answers
            self.ways.add(f"{how}, and the answers before" if answers else how)
        return self._counts[sample]

    def _answers(self, place: Place) -> int:
        """The most tokens of the answers that a later step puts in, if its model counts them as theirs do."""
        design = self._design
        return sum(
            times * output_limit(design.models[m], design.params[m])[0]
            for m, times in design.inserted(place).items()
        )

    def _answered(self, past: Seen, samples: Collection[int]) -> list[tuple[float, float]]:
        """What we and what the provider counted for the samples that were answered; nothing where those are
        too few, or our counts are exact."""
        if len(past.input_tokens) < TOLD or all(low == high for low, high in map(self._count, samples)):
            return []
        place = {sample.id: position for position, sample in enumerate(self._design.dataset.samples)}
        pairs = [
            (self._middle(place[sample]), true)
            for sample, true in past.input_tokens.items()
            if sample in place and (self._place.prompt, place[sample]) in self._design.messages
        ]
        if len(pairs) < TOLD:
            return []
        self.right = f"set right by what the provider counted for {len(pairs)} answers, if the rest are alike"
        return pairs

    def _beyond_the_text(
        self, pairs: Sequence[tuple[float, float]], samples: Collection[int], level: float
    ) -> Ends:
        """What a request of a later step has on average beyond the least that its text has."""
        from labkit import stats

        values = [true - counted for counted, true in pairs]
        highest: float = max(high - low for low, high in map(self._count, samples))
        if max(values) > highest:  # answers count more here than where they come from
            highest = UNSEEN_LONGEST * max(values)
        found = stats.total_interval(
            values, len(samples), lowest=min(0.0, *values), highest=highest, level=level
        )
        return found.low / len(samples), found.high / len(samples), found.estimate / len(samples)

    def _middle(self, sample: int) -> float:
        low, high = self._count(sample)
        # Of a later step the least: how much of the rest is answers is not known.
        return max(0.5, low if self._place.before is not None else (low + high) / 2)


def _line(pairs: Sequence[tuple[float, float]], to_come: Sequence[float], level: float) -> Line:
    """True counts as a line over those counted, which is as sure as its sum over the counts `to_come`.

    What is true ÷ counted is a line over 1 ÷ counted, and scatters alike at all lengths: least squares on
    those is the prediction interval of a regression through points weighted by 1 ÷ counted².
    """
    from labkit.stats.intervals import student

    xs, ys = [1 / counted for counted, _ in pairs], [true / counted for counted, true in pairs]
    n, x_mean, y_mean = len(pairs), fmean(xs), fmean(ys)
    spread = sum((x - x_mean) ** 2 for x in xs)
    more = sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True)) / spread if spread else 0.0
    times = y_mean - more * x_mean
    left = sum((y - times - more * x) ** 2 for x, y in zip(xs, ys, strict=True))
    # A true count is a whole number: points on one line do not say that the line is exact.
    left = max(left, sum(x * x for x in xs) / 12)
    freedom = n - 2 if spread else n - 1
    total = sum(to_come)
    away = (len(to_come) / total - x_mean) ** 2 / spread if spread else 0.0
    own = sum(counted * counted for counted in to_come) / total**2
    return Line(more, times, student(freedom, level) * math.sqrt(left / freedom * (1 / n + away + own)))
