"""Numbers in, numbers out: intervals, quantiles, comparisons. Knows no frame, no record, no notebook.

The names below are imported when first used, since numpy and scipy take time to load.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "AlarmLevels": "false_alarms",
    "Corrected": "corrected",
    "Agreement": "agreement",
    "Interval": "intervals",
    "Margin": "significance",
    "PairedTest": "significance",
    "Pairs": "paired",
    "Preferences": "preference",
    "Ratings": "ratings",
    "Table": "table",
    "Scale": "scale",
    "UNKNOWN": "scale",
    "adjusted_t": "adjusted_t",
    "agreed": "scale",
    "alarm_levels": "false_alarms",
    "bands": "ranking",
    "benjamini_hochberg": "significance",
    "best_chances": "ranking",
    "bootstrap_interval": "bootstrap",
    "bounded_interval": "intervals",
    "corrected_difference": "corrected",
    "corrected_mean": "corrected",
    "holm": "significance",
    "labels_for_width": "label_planning",
    "labels_to_decide": "label_planning",
    "bradley_terry": "strengths",
    "cohen_kappa": "agreement",
    "davidson": "strengths_with_ties",
    "draw_pair": "next_pair",
    "krippendorff_alpha": "agreement",
    "mcnemar": "significance",
    "mean_interval": "intervals",
    "overturned_by": "overturned",
    "paired_difference": "paired",
    "pairwise": "paired",
    "percent_agreement": "agreement",
    "preferences": "preference",
    "quantile_interval": "quantiles",
    "rate_interval": "intervals",
    "rank_intervals": "ranking",
    "rated": "ratings",
    "ratio_of_means": "ratios",
    "ratio_of_typical": "ratios",
    "rogan_gladen_interval": "rogan_gladen",
    "sample_table": "table",
    "score_interval": "intervals",
    "samples_for_width": "planning",
    "samples_to_decide": "planning",
    "sequential_interval": "sequential",
    "shown_better": "ranking",
    "sign_p_values": "significance",
    "sign_test": "significance",
    "total_interval": "prediction",
    "watched_interval": "sequential",
    "wilson": "intervals",
    "within_margin": "significance",
    "worst_case": "missing",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"labkit.stats has no {name!r}")
    return getattr(import_module(f"labkit.stats.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
