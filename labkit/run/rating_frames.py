"""Ratings as a frame: what each compared, what was said, and how its pair came to be shown.

It reads the lab, and concludes nothing.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, get_args

from labkit.store import Store
from labkit.store.definition_records import Preferred

if TYPE_CHECKING:
    import pandas as pd

_READ = """
    select
        rating_id, left_id, right_id, preferred, rated_at, "user", drawn, chance, took_s, peeked, masked,
        "comment"
    from ratings where left_id in (select unnest($ids::varchar[])) order by rated_at, rating_id
"""
_JUDGED = """
    select generation_id, scorer, "value", (metadata->'$.duels')::varchar as duels from scores
    where generation_id in (select unnest($ids::varchar[])) and "value" is not null
        and ((metadata->'$.duels') is not null or (metadata->'$.verdicts') is not null)
"""
PREFERRED: tuple[str, ...] = get_args(Preferred)
COLUMNS = (
    "rating_id", "sample_id", "left", "right", "preferred", "winner", "user", "rated_at", "drawn", "chance",
    "took_s", "peeked", "masked", "comment",
)  # fmt: skip


def ratings(store: Store, place: Mapping[str, tuple[int, str]], contenders: Sequence[str]) -> pd.DataFrame:
    """One row per rating of two of these answers, oldest first; `place` has for each generation_id its
    contender's number and its sample. Columns:

    - `rating_id`, `sample_id`; `left`, `right` (str): the contenders as they were shown; `preferred` (str):
      `left`, `right`, `tie`, `neither`, `skip`; `winner` (str): the contender preferred, missing without one
    - `user`, `rated_at` (UTC), `comment`; `took_s` (float): from when it was shown
    - `drawn` (str): `rule`, `again` (another rater saw it too), `turned` (the rater's own with its sides
      exchanged); `chance` (float): with which it was drawn; `peeked` (bool): whether the rater had seen the
      standing; `masked` (Int64): names masked in the two answers
    """
    import pyarrow as pa

    from labkit.store.arrow_to_pandas import to_frame

    with store.complete_opening():
        rows = store.table(_READ, {"ids": list(place)}).to_pylist()
    found = []
    for row in rows:
        left, right = place.get(row.pop("left_id")), place.get(row.pop("right_id"))
        if left is None or right is None or left[1] != right[1] or left[0] == right[0]:
            continue  # a rating of an answer that does not compete here
        if row["preferred"] not in PREFERRED:
            continue  # written by something that knows other words
        sides = {"left": contenders[left[0]], "right": contenders[right[0]]}
        found.append(row | sides | {"sample_id": left[1], "winner": sides.get(row["preferred"])})
    types = {"rated_at": pa.timestamp("us"), "chance": pa.float64(), "took_s": pa.float64()}
    types |= {"peeked": pa.bool_(), "masked": pa.int64()}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])
    return to_frame(pa.Table.from_pylist(found, schema=schema))


def judged_pairs(
    store: Store, place: Mapping[str, tuple[int, str]], contenders: Sequence[str]
) -> dict[str, pd.DataFrame]:
    """By judge, what it says of each two of these answers to one sample, as ratings by it: a duel what it
    said, another judge that it gave the one a higher value. Columns: `sample_id`, `left`, `right`,
    `preferred`, `user`, `drawn`."""
    import pandas as pd

    with store.complete_opening():
        rows = store.table(_JUDGED, {"ids": list(place)}).to_pylist()
    found: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    graded: defaultdict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for row in rows:
        contender, sample = place[row["generation_id"]]
        if row["duels"] is None:
            graded[row["scorer"], sample][contender] = row["value"]
            continue
        for duel in json.loads(row["duels"]):
            other = place.get(duel["against"])
            if other is not None and contender < other[0] and duel["value"] is not None:
                apart = 2 * duel["value"] - 1
                found[row["scorer"]].append(_judged(contenders, sample, contender, other[0], apart))
    for (scorer, sample), values in graded.items():
        for first, second in combinations(sorted(values), 2):
            apart = values[first] - values[second]
            found[scorer].append(_judged(contenders, sample, first, second, apart))
    return {scorer: pd.DataFrame(of).assign(user=scorer, drawn="rule") for scorer, of in found.items()}


def _judged(contenders: Sequence[str], sample: str, one: int, other: int, apart: float) -> dict[str, str]:
    preferred = "left" if apart > 0 else "right" if apart < 0 else "tie"
    return {
        "sample_id": sample,
        "left": contenders[one],
        "right": contenders[other],
        "preferred": preferred,
    }
