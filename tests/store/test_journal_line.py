"""A record becomes one line and comes back whole, or is known to be broken."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.errors import DefinitionError
from labkit.records import Generation, Score
from labkit.store import journal_line
from labkit.store.definition_records import SampleRecord
from labkit.store.journal_line import BrokenLine

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
STRANGE = [
    "",
    "\0",
    "a\0b",
    "\n" * 1_000_000,
    "\r\n",
    "\u2028\u2029\x85",
    "😀👩‍👩‍👧",
    "5f2a91c0 generation 1 {}\n",
    '"}\n',
    "\ufeff",
    "x" * 200_000,
    "\x1b[31m\u202e",
]


def framed(record: Any, stamp: int = 7) -> bytes:
    return journal_line.frame(type(record), stamp, journal_line.body(record))


def sample(fields: Any) -> SampleRecord:
    return SampleRecord(dataset="d", dataset_name="n", position=0, sample_id="s", fields=fields)


@settings(deadline=None)
@given(text=ANY_TEXT | st.sampled_from(STRANGE), stamp=st.integers(0, 2**60 - 1))
def test_any_text_comes_back(text: str, stamp: int) -> None:
    """Every text is one line, and is read back as it was."""
    score = Score(generation_id="g", scorer="s", value=None, scored_at=datetime.now(UTC), explanation=text)
    whole = framed(score, stamp)
    assert whole.count(b"\n") == 1
    parsed = journal_line.parse(whole[:-1])
    assert (parsed.kind.record, parsed.stamp, parsed.row.explanation) == (Score, stamp, text)


@settings(deadline=None)
@given(st.text())
def test_lone_surrogates_become_the_replacement_character(text: str) -> None:
    """What UTF-8 cannot hold is replaced, and only that."""
    row = journal_line.parse(framed(sample({"a": text, f"b{text}": [text]}))[:-1]).row
    fields = json.loads(bytes(row.fields))
    want = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert fields == {"a": want, f"b{want}": [want]}


def test_a_surrogate_pair_becomes_its_character() -> None:
    """Two surrogates that belong together are the character they mean."""
    row = journal_line.parse(framed(sample({"a": "\ud83d\ude00\ud83d"}))[:-1]).row
    assert json.loads(bytes(row.fields)) == {"a": "😀\ufffd"}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.dictionaries(ANY_TEXT, JSON, max_size=5))
def test_any_json_comes_back(fields: dict[str, Any]) -> None:
    """A sample's fields come back equal, whole numbers of any length included."""
    row = journal_line.parse(framed(sample(fields))[:-1]).row
    assert json.loads(bytes(row.fields)) == fields


@settings(deadline=None)
@given(
    st.datetimes(
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(-timedelta(hours=12))])
    )
)
def test_times_come_back(moment: datetime) -> None:
    """A time with a zone is the same moment when it is read."""
    score = Score(generation_id="g", scorer="s", value=1.0, scored_at=moment)
    assert journal_line.parse(framed(score)[:-1]).row.scored_at == moment


@settings(deadline=None)
@given(st.data())
def test_a_changed_line_is_broken(data: st.DataObject) -> None:
    """One changed, lost or added byte anywhere is noticed."""
    whole = framed(Score(generation_id="g", scorer="s", value=1.0, scored_at=datetime.now(UTC)))[:-1]
    place = data.draw(st.integers(0, len(whole) - 1))
    how = data.draw(st.sampled_from(["change", "lose", "add"]))
    byte = bytes([data.draw(st.integers(0, 255).filter(lambda b: b != whole[place] and b != 10))])
    changed = {
        "change": whole[:place] + byte + whole[place + 1 :],
        "lose": whole[:place] + whole[place + 1 :],
        "add": whole[:place] + byte + whole[place:],
    }[how]
    with pytest.raises(BrokenLine):
        journal_line.parse(changed)


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_are_a_line_or_broken(noise: bytes) -> None:
    """Reading never fails in another way."""
    with pytest.raises(BrokenLine):
        journal_line.parse(noise)


@pytest.mark.parametrize(
    "rest",
    [
        b"generation 1",
        b"generation x {}",
        b"planet 1 {}",
        b"generation 1 []",
        b'score 1 {"value": "high"}',
        b"score 1 {",
        b"score 1 " + b"[" * 100_000,
    ],
)
def test_a_whole_line_of_the_wrong_form_is_broken(rest: bytes) -> None:
    """A right checksum over something that is no record is not taken for one."""
    import zlib

    with pytest.raises(BrokenLine):
        journal_line.parse(b"%08x %s" % (zlib.crc32(rest), rest))


def test_scalars_of_numpy_and_pandas_are_kept() -> None:
    """Numbers and times of data frames have their plain values."""
    fields = {
        "i": np.int64(3),
        "f": np.float32(0.5),
        "b": np.bool_(True),
        "t": pd.Timestamp("2026-01-01"),
        "d": Decimal("1.50"),
        "nan": float("nan"),
    }
    row = journal_line.parse(framed(sample(fields))[:-1]).row
    assert json.loads(bytes(row.fields)) == {
        "i": 3,
        "f": 0.5,
        "b": True,
        "t": "2026-01-01T00:00:00",
        "d": "1.50",
        "nan": None,
    }


def test_what_has_no_json_form_is_refused_at_once() -> None:
    """An object, an array or a circle is named before anything is queued."""
    circle: list[Any] = []
    circle.append(circle)
    for strange in (object(), circle, np.arange(3), {("a", "b"): 1}):
        with pytest.raises(DefinitionError, match="SampleRecord cannot be kept"):
            journal_line.body(sample({"x": strange}))


def test_numbers_no_count_can_have_do_not_break_a_generation() -> None:
    """A token count of 10^30, which a server may claim, can be written down."""
    absurd = Generation(
        generation_id="g",
        run_id="r",
        experiment="e",
        workspace="w",
        prompt="p",
        prompt_version=1,
        model="m/x",
        provider="m",
        sample_id="s",
        repeat=0,
        status="done",
        request_id="r1:",
        input_tokens=10**30,
    )
    assert journal_line.parse(framed(absurd)[:-1]).row.input_tokens == 10**30


WITHOUT_MEMORY = """
import resource
from datetime import UTC, datetime

from labkit.errors import StoreError
from labkit.identity import canonical_json
from labkit.records import Score
from labkit.store import journal_line

value = {"said": "y" * 50_000_000}
score = Score(generation_id="g", scorer="s", value=1.0, scored_at=datetime.now(UTC), metadata=value)
with open("/proc/self/status") as status:
    used_kb = next(int(line.split()[1]) for line in status if line.startswith("VmSize"))
resource.setrlimit(resource.RLIMIT_AS, (used_kb * 1024 + 20_000_000,) * 2)
try:
    canonical_json(value)
except MemoryError:
    print("no identity")
try:
    journal_line.body(score)
except StoreError as error:
    print(error)
"""


# Other systems neither have /proc nor keep a process to its limit of addresses.
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory in use is read from /proc")
def test_a_lack_of_memory_is_told() -> None:
    """Where memory lacks for a line the process goes on, and the error says what is safe."""
    ran = subprocess.run([sys.executable, "-c", WITHOUT_MEMORY], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    said = ran.stdout.splitlines()
    assert said[0] == "no identity"
    assert said[1].startswith(
        "Memory ran out while this Score was to be kept. What was shown as done is on disk."
    )
