"""A rate that a judge found, corrected by how often it was right where people had labelled, in another run.

Rogan and Gladen's estimate (1978) from the judge's sensitivity and specificity, with the interval of Lee et
al. (2025). Where labels are of a random part of the same samples, `labkit.stats.corrected` is about half as
wide: it needs no two rates carried over. Nothing here knows whether a judge is as good on these answers as it
was on those, and that is what it takes on trust. Trials count as independent: no repeats, no clusters.
"""

from __future__ import annotations

import math

from scipy import special

from labkit.stats.intervals import Interval, check_level, wilson

Share = tuple[float, float]
"""So many of so many."""


def rogan_gladen_interval(
    passed: Share, *, sensitivity: Share, specificity: Share, level: float = 0.95
) -> Interval:
    """The rate of right answers, of which a judge passed some of all.

    `sensitivity` is how many of the answers that people called right the judge passed, of how many;
    `specificity` how many of those they called wrong it failed. The interval adds a success and a failure to
    each of these and shifts what bias that leaves (Lee, Zeng, Jang, Ye & Ren 2025, arXiv 2511.21140).
    Coverage at 95 % was simulated at 95 to 97 % for rates of 0.1, 0.5 and 0.9 among 500 answers, with a judge
    that is wrong on 15 of 100 and 20, 50 and 200 labels each of right and of wrong ones.

    Raises ValueError where a count cannot be, and where the judge may tell right from wrong no better than
    a coin: where the lower end of the interval of sensitivity + specificity − 1 is 0 or less (Wilson's
    intervals joined as by Newcombe 1998). The estimate divides by that sum.

    >>> found = rogan_gladen_interval((400, 1000), sensitivity=(180, 200), specificity=(140, 200))
    >>> round(found.estimate, 3), round(found.low, 3), round(found.high, 3)
    (0.167, 0.056, 0.263)
    """
    check_level(level)
    judge, right, wrong = (wilson(*share, level=level) for share in (passed, sensitivity, specificity))
    if not (judge.n and right.n and wrong.n):
        raise ValueError("a rate needs at least one answer, one labelled right and one labelled wrong")
    apart = right.estimate + wrong.estimate - 1
    least = apart - math.hypot(right.estimate - right.low, wrong.estimate - wrong.low)
    if least <= 0:
        raise ValueError(
            f"the judge may tell right from wrong no better than a coin: sensitivity + specificity − 1 is "
            f"{apart:.2f}, and may be {least:.2f}"
        )
    estimate = (judge.estimate + wrong.estimate - 1) / apart
    z = float(special.ndtri((1 + level) / 2))
    (k, n), (hits, of_right), (rejections, of_wrong) = passed, sensitivity, specificity
    rate, trials = (k + z * z / 2) / (n + z * z), n + z * z
    q1, q0 = (hits + 1) / (of_right + 2), (rejections + 1) / (of_wrong + 2)
    about = (rate + q0 - 1) / (q0 + q1 - 1)
    of_q1, of_q0 = q1 * (1 - q1) / (of_right + 2), q0 * (1 - q0) / (of_wrong + 2)
    centre = about + 2 * z * z * (about * of_q1 - (1 - about) * of_q0)
    variance = rate * (1 - rate) / trials + (1 - about) ** 2 * of_q0 + about**2 * of_q1
    reach = z * math.sqrt(variance) / (q0 + q1 - 1)
    estimate, low, high = (min(max(end, 0.0), 1.0) for end in (estimate, centre - reach, centre + reach))
    return Interval(estimate, low, high, judge.n, "Rogan–Gladen, Lee's interval", level)
