"""labkit.datasets.dataset: a dataset as a value."""

from __future__ import annotations

import pytest

from labkit.datasets import load
from labkit.errors import DefinitionError

ROWS = [{"id": f"r{i}", "text": f"t{i}", "target": i} for i in range(20)]


@pytest.fixture
def dataset():
    return load(ROWS, name="rows")


def test_it_is_a_sequence_of_samples(dataset):
    """Length, iteration and position work as on a tuple."""
    assert len(dataset) == 20
    assert [sample.id for sample in dataset] == [row["id"] for row in ROWS]
    assert dataset[3].fields == {"text": "t3", "target": 3}
    assert dataset[3].target == 3


def test_a_name_that_hides_something_shows_it():
    """Line breaks and joiners in a column's name are seen where the dataset is shown."""
    odd = load([{"Culmen\nLength": 1, "co\u00adop": 2}])
    assert "columns: Culmen⏎Length, co⟨AD⟩op" in repr(odd)


def test_columns_leave_out_the_id(dataset):
    """`columns` are the fields a prompt can use, in the order of the source."""
    assert dataset.columns == ("text", "target")
    assert dataset.has_target
    assert not load([{"text": "x"}]).has_target


def test_parts_keep_name_and_ids(dataset):
    """A part of a dataset has its name and ids, and another hash."""
    head = dataset.head(3)
    assert [sample.id for sample in head] == ["r0", "r1", "r2"]
    assert head.name == "rows"
    assert head.hash != dataset.hash
    assert dataset.head(100) == dataset


def test_a_draw_is_repeatable(dataset):
    """The same seed draws the same samples, without repetition, in their order."""
    drawn = [sample.id for sample in dataset.sample(5, seed=1)]
    assert drawn == [sample.id for sample in dataset.sample(5, seed=1)]
    assert drawn != [sample.id for sample in dataset.sample(5, seed=2)]
    assert drawn == sorted(drawn, key=lambda id: int(id[1:]))
    assert len(set(drawn)) == 5
    assert len(dataset.sample(50)) == 20


def test_samples_are_chosen_by_a_test_or_by_ids(dataset):
    """`select` takes a function or ids; an id that is not there is a fault."""
    assert len(dataset.select(lambda sample: sample.target > 16)) == 3
    assert [sample.id for sample in dataset.select(["r5", "r2"])] == ["r2", "r5"]
    assert len(dataset.select("r5")) == 1
    with pytest.raises(DefinitionError, match="no sample 'nope'"):
        dataset.select(["r1", "nope"])


def test_nothing_left_is_a_fault(dataset):
    """A part without samples is refused where it is made."""
    with pytest.raises(DefinitionError, match="Nothing is left"):
        dataset.select(lambda sample: False)
    for n in (0, -1, 1.5, True, "3"):
        with pytest.raises(DefinitionError):
            dataset.head(n)


def test_the_hash_is_over_content_whatever_the_order():
    """The same rows in another order have the same hash; another cell or id gives another."""
    base = load(ROWS)
    assert load(list(reversed(ROWS))).hash == base.hash
    assert base.hash.startswith("t1:")
    changed = [dict(row) for row in ROWS]
    changed[4]["text"] = "other"
    renamed = [dict(row) for row in ROWS]
    renamed[4]["id"] = "other"
    assert len({base.hash, load(changed).hash, load(renamed).hash}) == 3
    assert base == load(ROWS, name="other")
    assert len({base, load(ROWS)}) == 1


def test_a_frame_of_it(dataset):
    """`frame()` has the ids first and then the columns in order."""
    frame = dataset.frame()
    assert list(frame.columns) == ["id", "text", "target"]
    assert frame["target"].sum() == sum(range(20))


def test_it_shows_itself_in_one_line_and_safely():
    """S7: the repr is one line; the HTML shows hostile cells and column names as text, and only five rows."""
    hostile = load([{"<b>x</b>": "<script>alert(1)</script>" * 10, "n": None}] * 9, name="<i>")
    assert repr(hostile) == "Dataset('<i>', 9 samples, columns: <b>x</b>, n)"
    shown = hostile._repr_html_()
    assert "<script>" not in shown
    assert "<b>" not in shown
    assert "<i>" not in shown
    assert shown.count("<tr>") == 6
