"""How the numbers were got, as a paragraph one may paste into a paper, and the works it rests on.

It tells only what was used. It calculates nothing.
"""

from __future__ import annotations

from labkit.report.material import Material

REFERENCES = {
    "bonett": "Bonett DG, Price RM (2012). Adjusted Wald confidence interval for a difference of binomial "
    "proportions based on paired data. Journal of Educational and Behavioral Statistics 37(4), 479–488.",
    "holm": "Holm S (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of "
    "Statistics 6(2), 65–70.",
    "horowitz": "Horowitz JL, Manski CF (2000). Nonparametric analysis of randomized experiments with "
    "missing covariate and outcome data. Journal of the American Statistical Association 95(449), 77–84.",
    "korn": "Korn EL, Graubard BI (1998). Confidence intervals for proportions with small expected number of "
    "positive counts estimated from survey data. Survey Methodology 24(2), 193–201.",
    "massart": "Massart P (1990). The tight constant in the Dvoretzky–Kiefer–Wolfowitz inequality. Annals of "
    "Probability 18(3), 1269–1283.",
    "mogstad": "Mogstad M, Romano JP, Shaikh AM, Wilhelm D (2024). Inference for ranks with applications to "
    "mobility across neighbourhoods and academic achievement across countries. Review of Economic Studies "
    "91(1), 476–518.",
    "rubin": "Rubin DB (1981). The Bayesian bootstrap. Annals of Statistics 9(1), 130–134.",
    "schuirmann": "Schuirmann DJ (1987). A comparison of the two one-sided tests procedure and the power "
    "approach for assessing the equivalence of average bioavailability. Journal of Pharmacokinetics and "
    "Biopharmaceutics 15(6), 657–680.",
    "waudby": "Waudby-Smith I, Ramdas A (2024). Estimating means of bounded random variables by betting. "
    "Journal of the Royal Statistical Society B 86(1), 1–27.",
    "wilson": "Wilson EB (1927). Probable inference, the law of succession, and statistical inference. "
    "Journal of the American Statistical Association 22(158), 209–212.",
}


def paragraph(given: Material) -> str:
    """The methods in plain sentences."""
    samples, repeats = given.dataset["samples"], given.repeats
    times = "once" if repeats == 1 else f"{repeats} times"
    said = [
        f"{_count(len(given.prompts), 'prompt')} on {_count(len(given.models), 'model')} answered "
        f"{_count(samples, 'sample')}, each {times}; requests were sent in an order shuffled with seed "
        f"{given.provenance.get('seed', 0)}, so that models shared the same hours.",
        "Latency runs from sending the last attempt to the end of its stream; waiting for a slot and earlier "
        "attempts are not in it, and replayed answers have none. Costs are token counts at the price of "
        "the request's date; a cost that is not known is left open and never counted as 0.",
    ]
    verdict = given.verdict
    if verdict is None:
        return " ".join([*said, "Nothing was scored."])
    level = f"{verdict.level * 100:g} %"
    said.append(
        f"The score is {verdict.scorer}. Each rate has Wilson's interval on effective trials, each mean "
        f"Student's, at {level}; samples are the independent units and repeats stay within them."
    )
    if verdict.watched:
        said.append(
            "The study was looked at while it grew, so differences have confidence sequences, which hold at "
            f"any moment of stopping, at {level} for all pairs together (Bonferroni)."
        )
    else:
        said.append(
            "Contenders are compared in pairs on the cells that both have, by the mean difference of sample "
            "means with Student's interval and, for bounded scores, two imagined samples (Bonett and Price). "
            f"A pair is decided by Holm's correction over all pairs; ranges told hold together at {level}."
        )
    if verdict.margin is not None:
        said.append(
            f"Two are called equal within {verdict.margin:g} where two one-sided tests with Holm's "
            "correction say so and the interval lies within that margin."
        )
    if verdict.ranks:
        said.append(
            "Ranks follow from the decided pairs: one more than the contenders shown to be better, up to all "
            f"but those shown to be worse; they hold for all contenders together at {level}. The chance of "
            "being best is from a Bayesian bootstrap of the samples, with differences shrunk by the share of "
            "them that noise explains."
        )
    said.append(
        "Costs are compared by the ratio of means and latencies by the ratio of geometric means, both "
        "paired. Missing scores are left out of comparisons; beside them stand bounds for the case that they "
        "were the worst possible. How well each interval keeps its level was simulated: see "
        "benchmarks/coverage.md."
    )
    return " ".join(said)


def references(given: Material) -> list[str]:
    """The works that the paragraph rests on, in alphabetical order."""
    if given.verdict is None:
        return []
    used = {"wilson", "korn", "horowitz", "massart"}
    used |= {"waudby"} if given.verdict.watched else {"bonett", "holm"}
    used |= {"schuirmann"} if given.verdict.margin is not None else set()
    used |= {"mogstad", "rubin"} if given.verdict.ranks else set()
    return [REFERENCES[name] for name in sorted(used)]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
