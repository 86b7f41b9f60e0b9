"""labkit.report.methods: it names the methods that were used, and the works of these alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labkit.report.methods import REFERENCES, paragraph, references
from labkit.verdict import verdict


def _material(scale: tuple[float, float, float | None] | None, **asked: Any) -> Any:
    """What `paragraph` reads, of a study of three models."""
    rng = np.random.default_rng(1)
    rows = [
        {"model": m, "sample_id": s, "status": "done", "sample.who": s // 4, "score.s": rng.integers(0, 2)}
        for m in "abc"
        for s in range(40)
    ]
    frame = pd.DataFrame(rows)
    blocks = asked.pop("blocks", None)
    if asked.pop("gaps", False):
        frame.loc[frame.index[:3], "score.s"] = np.nan
    frame.attrs = {"scales": {} if scale is None else {"s": scale}}
    return SimpleNamespace(
        dataset={"samples": 40}, repeats=1, prompts=["p"], models=["a", "b", "c"], provenance={},
        verdict=verdict(frame, **asked), blocks=blocks,
    )  # fmt: skip


RATE, RATING = (0, 1, 1), (0, 5, 1)


@pytest.mark.parametrize(
    ("scale", "asked", "names", "words"),
    [
        (RATE, {}, {"wilson", "bonett", "holm"}, "Wilson's interval"),
        (RATING, {}, {"gaffke", "phan", "bonett", "holm"}, "bounds of Gaffke"),
        (None, {}, {"bonett", "holm"}, "united with Hall's"),
        (None, {"gaps": True}, {"bonett", "holm"}, "has no bounds, since the score has none"),
        (RATE, {"gaps": True}, {"wilson", "bonett", "holm", "horowitz"}, "the worst possible"),
        (
            RATE,
            {"blocks": "told"},
            {"wilson", "bonett", "holm", "benjamini", "box"},
            "factors of a two-level design",
        ),
        (RATE, {"watched": True}, {"waudby"}, "at any moment of stopping"),
        (RATE, {"margin": 0.1}, {"wilson", "bonett", "holm", "schuirmann"}, "equal within 0.1"),
        (
            RATING,
            {"clusters": "sample.who"},
            {"gaffke", "phan", "bonett", "holm", "bell", "pustejovsky"},
            "CR2 variance",
        ),
        (
            RATE,
            {"clusters": "sample.who"},
            {"wilson", "korn", "bonett", "holm", "bell", "pustejovsky"},
            "CR2 variance",
        ),
    ],
)
def test_it_names_what_was_used_and_nothing_else(
    scale: Any, asked: dict[str, Any], names: set[str], words: str
) -> None:
    """The interval of the scale, the design's corrections, and the works of both."""
    given = _material(scale, **asked)
    assert words in paragraph(given)
    assert references(given) == sorted(REFERENCES[name] for name in names | {"hall", "massart"})
    for author, name in (("Gaffke", "gaffke"), ("Wilson", "wilson"), ("CR2", "bell")):
        assert (author in paragraph(given)) == (name in names)
