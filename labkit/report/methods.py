"""How the numbers were got, as a paragraph one may paste into a paper, and the works it rests on.

It tells only what was used. It calculates nothing.
"""

from __future__ import annotations

from labkit.report.material import Judged, Material

REFERENCES = {
    "bell": "Bell RM, McCaffrey DF (2002). Bias reduction in standard errors for linear regression with "
    "multi-stage samples. Survey Methodology 28(2), 169–181.",
    "benjamini": "Benjamini Y, Hochberg Y (1995). Controlling the false discovery rate: a practical and "
    "powerful approach to multiple testing. Journal of the Royal Statistical Society B 57(1), 289–300.",
    "bonett": "Bonett DG, Price RM (2012). Adjusted Wald confidence interval for a difference of binomial "
    "proportions based on paired data. Journal of Educational and Behavioral Statistics 37(4), 479–488.",
    "box": "Box GEP, Hunter JS (1961). The 2^(k−p) fractional factorial designs. Technometrics 3(3), "
    "311–351.",
    "gaffke": "Gaffke N (2005). Three test statistics for a nonparametric one-sided hypothesis on the mean "
    "of a nonnegative variable. Mathematical Methods of Statistics 14(4), 451–467.",
    "hall": "Hall P (1992). On the removal of skewness by transformation. Journal of the Royal Statistical "
    "Society B 54(1), 221–228.",
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
    "phan": "Phan M, Thomas P, Learned-Miller E (2021). Towards practical mean bounds for small samples. "
    "Proceedings of the 38th International Conference on Machine Learning, PMLR 139, 8567–8576.",
    "pustejovsky": "Pustejovsky JE, Tipton E (2018). Small-sample methods for cluster-robust variance "
    "estimation and hypothesis testing in fixed effects models. Journal of Business & Economic Statistics "
    "36(4), 672–683.",
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
        "attempts are not in it; a replay is timed by its first asking, once. Costs are token counts "
        "at the price of the request's date; a cost that is not known is left open and never counted as 0.",
    ]
    verdict = given.verdict
    if verdict is None:
        return " ".join([*said, "Nothing was scored."])
    level = f"{verdict.level * 100:g} %"
    said.append(
        f"The score is {verdict.scorer}. Each mean score has {_mean_interval(verdict)}, at {level}; samples "
        "are the independent units and repeats stay within them."
    )
    if verdict.watched:
        said.append(
            "The study was looked at while it grew, so differences have confidence sequences too, which hold "
            f"at {level} for all pairs together (Bonferroni)."
        )
    else:
        skewed = "" if verdict.scale.binary else ", united with Hall's, which is corrected for skewness"
        whole = (
            " Samples that belong together are taken as wholes, with a CR2 variance and Satterthwaite's "
            "degrees of freedom."
        )
        said.append(
            "Contenders are compared in pairs on the cells that both have, by the mean difference of sample "
            f"means with Student's interval with two imagined samples (Bonett and Price){skewed}."
            f"{whole if _clustered(verdict) else ''} "
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
    if given.blocks is not None:
        said.append(
            "Blocks of context are factors of a two-level design; the effect of one is the mean over samples "
            "of the contrast between its sets with and without it, compared as a pair is. Effects of blocks "
            "are corrected by Holm over blocks and models, those of pairs by Benjamini and Hochberg."
        )
    said.append(
        "Costs are compared by the ratio of means and latencies by the ratio of geometric means, both "
        "paired, with Student's interval on the logarithm, corrected for skewness (Hall). Claims of scores, "
        "of prices and of times each keep their level by themselves."
    )
    if verdict.pairs["missing"].any():
        said.append(
            "Missing scores are left out of comparisons; "
            + (
                "beside them stand bounds for the case that they were the worst possible."
                if verdict.scale.bounded
                else "what they could have changed has no bounds, since the score has none."
            )
        )
    said.append("How well each interval keeps its level was simulated: see benchmarks/coverage.md.")
    return " ".join(said)


def references(given: Material) -> list[str]:
    """The works that the paragraph and the charts rest on, in alphabetical order."""
    verdict = given.verdict
    if verdict is None:
        return []
    used = {"hall", "massart"}
    if verdict.watched:
        used |= {"waudby"}
    else:
        used |= {"bonett", "holm"} | ({"bell", "pustejovsky"} if _clustered(verdict) else set())
        if verdict.scale.binary:
            used |= {"wilson", "korn"} if given.repeats > 1 or _clustered(verdict) else {"wilson"}
        elif verdict.scale.bounded:
            used |= {"gaffke", "phan"}
    used |= {"benjamini", "box"} if given.blocks is not None else set()
    used |= {"horowitz"} if verdict.scale.bounded and verdict.pairs["missing"].any() else set()
    used |= {"schuirmann"} if verdict.margin is not None else set()
    used |= {"mogstad", "rubin"} if verdict.ranks else set()
    return [REFERENCES[name] for name in sorted(used)]


def _mean_interval(verdict: Judged) -> str:
    if verdict.watched:
        return "a confidence sequence, which holds at any moment of stopping"
    if verdict.scale.binary:
        return "Wilson's interval, on effective trials where samples have repeats or belong together"
    if verdict.scale.bounded:
        return "the bounds of Gaffke, which ask nothing of its distribution but its ends"
    return "Student's interval with two imagined values, united with Hall's, which is corrected for skewness"


def _clustered(verdict: Judged) -> bool:
    """Whether some pair's units are wholes of several cells."""
    return bool((verdict.pairs["units"] < verdict.pairs["n"]).any())


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
