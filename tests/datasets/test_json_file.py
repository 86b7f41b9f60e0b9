"""labkit.datasets.json_file: JSON and JSON Lines as people and programs write them (group B8)."""

from __future__ import annotations

import pytest

from labkit.datasets.json_file import read_json
from labkit.errors import DefinitionError


def test_json_lines_are_rows(write):
    """Objects, one a line; a key that a line lacks is None there; empty lines are skipped."""
    table = read_json(write('\ufeff{"a": 1, "b": [1, {"c": null}]}\r\n\n{"a": "x"}\n', "t.jsonl"))
    assert table.columns == {"a": [1, "x"], "b": [[1, {"c": None}], None]}
    assert table.row_names(1) == "line 3"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ('{"a": 1}\n{"a": }\n', "line 2"),
        ("5\n", "line 1: it is no object"),
        ('"x"\n{"a": 1}\n', "line 1: it is no object"),
        (b'{"a": "\xff"}\n', "not UTF-8"),
        ('{"a": ' + "[" * 100_000, "nested too deep|line 1"),
        ('{"a": 1}{"a": 2}\n', "line 1"),
    ],
)
def test_broken_json_lines_are_named(write, data, why):
    """B8: a line that is no object is named, with the reason."""
    with pytest.raises(DefinitionError, match=why):
        read_json(write(data, "t.jsonl"))


def test_all_broken_json_lines_are_named_at_once(write):
    """Every broken line stands in one error, up to a number that a person reads."""
    with pytest.raises(DefinitionError) as caught:
        read_json(write("x\n" * 50, "t.jsonl"))
    assert len(caught.value.faults) == 21
    assert "30 more" in caught.value.faults[-1]


def test_a_json_file_is_a_list_of_objects(write):
    """A JSON file holds a list, with a byte order mark or without; anything else is refused."""
    for text in ('[{"a": 1}]', '\ufeff [{"a": 1}]\r\n'):
        assert read_json(write(text, "t.json")).columns == {"a": [1]}
    for data in ('{"a": 1}', "[1]", "[", "5"):
        with pytest.raises(DefinitionError):
            read_json(write(data, "t.json"))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ('{"version": 1, "data": [{"a": 1}]}', "a list under 'data'. Save that list"),
        ('{"a": {"0": 1}, "b": {"0": 2}}', r"an object of objects.*orient='records'"),
        ('{"a": 1}', "no list of objects .* but one object"),
        ('[{"a": 1}', "at character 10"),
        ('[\n{"a": }]', "at line 2, character 7"),
        ('{"a": 1}\n{"b" 1}\n', "in line 2"),
        ('[{"a": "\ud83d"}]'.encode("utf-8", "surrogatepass"), "not UTF-8"),
        ('[{"a": 1}]'.encode("utf-16"), "UTF-16"),
    ],
)
def test_what_is_no_list_is_refused_with_what_to_do(write, data, why):
    """The message says what the file holds instead, and where it cannot be read."""
    with pytest.raises(DefinitionError, match=why):
        read_json(write(data, "t.json"))


@pytest.mark.parametrize("name", ["t.json", "t.jsonl"])
@pytest.mark.parametrize(
    ("data", "why"),
    [
        ('{\n "q": "a"\n}\n{\n "q": "b"\n}\n', "one after another. Write one object a line, as `jq -c .`"),
        ('{\n "q": "a"\n}\n', "one object"),
        ('["q", "n"]\n["a", 1]\n', "one after another"),
        ('{"q": ["a", "b"],\n "n": [1, 2]}', "an object of columns.*orient='records'"),
    ],
)
def test_objects_over_several_lines_are_one_fault(write, name, data, why):
    """What pretty printing leaves is told once, not line by line, with what to do."""
    with pytest.raises(DefinitionError, match=why) as caught:
        read_json(write(data, name))
    assert len(caught.value.faults) == 1


def test_json_lines_go_under_either_name(write):
    """A first line that is an object, with others below, is JSON Lines also in a .json file."""
    table = read_json(write('\ufeff{"q": "a"}\r\n\n{"q": "b", "n": NaN}\n', "t.json"))
    assert table.columns["q"] == ["a", "b"]
    assert table.row_names(1) == "line 3"
    assert read_json(write('[{"q": "a"},\n{"q": "b"}]\n', "t.jsonl")).columns == {"q": ["a", "b"]}


def test_what_pythons_json_writes_is_read(write):
    """NaN and half characters come through; what is to become of them is decided where every cell is."""
    table = read_json(write('{"a": NaN, "b": "x \\ud83d", "c": Infinity}\n', "t.jsonl"))
    assert repr(table.columns) == r"{'a': [nan], 'b': ['x \ud83d'], 'c': [inf]}"


@pytest.mark.parametrize("written", ["12345678901234567.89", "0.12345678901234567890", "1" * 30])
def test_numbers_keep_their_digits(write, written):
    """A number whose digits a float would lose is its characters; any other is a number, as JSON means it."""
    for text in (f'[{{"n": {written}}}]', f'[{{"n": {written}, "m": NaN}}]'):
        assert str(read_json(write(text, "t.json")).columns["n"][0]) == written
    assert read_json(write('[{"n": 0.10, "m": 1.0, "k": 123456.789012345678}]', "t.json")).columns == {
        "n": [0.1],
        "m": [1.0],
        "k": ["123456.789012345678"],
    }
