"""labkit.summary.cut_answers: answers that are done and yet not whole."""

from __future__ import annotations

from typing import Any

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from labkit.records import Generation
from labkit.summary import cut_answers
from labkit.summary.compact_frame import compact

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "status": st.sampled_from(["done", "failed", "partial", "stopped"]),
            "stop_reason": st.sampled_from([None, "stop", "max_tokens", "refusal", "content_filter"]),
            "text": st.none() | st.text(" \t\n\u00a0\u3000\u200ba", max_size=3),
        }
    ),
    min_size=1,
    max_size=8,
)


@given(ROWS)
def test_a_row_a_frame_and_a_compact_frame_say_the_same(rows: list[dict[str, Any]]) -> None:
    """What a run hears one by one, what a table counts, and what is left where texts are cut away."""
    told = dict.fromkeys(Generation.__struct_fields__[:10], "") | {"request_id": ""}
    one_by_one = [cut_answers.of_row(Generation(**(told | row))) for row in rows]
    frame = pd.DataFrame(rows)
    for at_once in (cut_answers.of_frame(frame), cut_answers.of_frame(compact(frame))):
        for kind in cut_answers.KINDS:
            column = at_once[kind]
            assert column is not None
            assert column.tolist() == [kind in row for row in one_by_one]


def test_one_is_told_as_one_and_none_is_not_told() -> None:
    """The grammar of one answer, and silence where there is nothing."""
    assert cut_answers.share("refused", 1, 1) == "1 of 1 answer is a refusal"
    assert cut_answers.sentences({"cut": 0, "empty": 0, "refused": 0}, 5) == []
