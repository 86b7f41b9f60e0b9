"""labkit.scoring.structure: answers that are to be JSON."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import DefinitionError
from labkit.identity import canonical_json
from labkit.read import NoJson, read_json
from labkit.scoring import json_field, json_schema, score

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SCHEMA = {
    "type": "object",
    "properties": {"label": {"enum": ["praise", "complaint"]}},
    "required": ["label"],
    "additionalProperties": False,
}


@pytest.fixture
def row(generation, sample):
    """The score of an answer against a sample's columns."""

    def found(scorer, text, **fields):
        (one,) = score(scorer, generation=generation(text), sample=sample(**fields), at=NOW)
        return one

    return found


@pytest.mark.parametrize(
    "text",
    ['{"a": 1}', ' {"a":1}\n', '```json\n{"a": 1}\n```', '```\n{"a": 1}```', '\n```JSON\n{"a": 1}\n```\n'],
)
def test_one_document_is_read_in_a_fence_or_without(text):
    """The usual code fence around an answer does not matter."""
    assert read_json(text) == {"a": 1}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        'Here it is: {"a": 1}',
        '{"a": 1} {"a": 2}',
        '```json\n{"a": 1}\n```\n```json\n{"a": 2}\n```',
        '{"a": 1, "a": 2}',
        "NaN",
        '{"a": Infinity}',
        "{'a': 1}",
        "[" * 100_000,
        '{"a": 1',
        " " * 1_000_001,
    ],
)
def test_anything_else_is_no_json(text):
    """Prose around it, two documents, a key twice, NaN, cut or endless nesting: no document."""
    with pytest.raises(NoJson):
        read_json(text)


documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(documents)
def test_every_document_is_read_back(document):
    """What was written as JSON is read as it was, fenced too."""
    text = canonical_json(document).decode()
    assert read_json(text) == document
    assert read_json(f"```json\n{text}\n```") == document


def test_a_schema_is_checked(row):
    """An answer that fits is 1, one that does not is 0 and says where."""
    assert row(json_schema(SCHEMA), '{"label": "praise"}').value == 1
    other = row(json_schema(SCHEMA), '{"label": "other"}')
    assert (other.value, other.error) == (0, None)
    assert "$.label" in other.explanation
    assert row(json_schema(SCHEMA), "praise").value == 0


def test_an_answer_without_text_is_not_scored(row):
    """There is no text to be JSON."""
    assert row(json_schema(SCHEMA), None).value is None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "objekt"},
        {"$ref": "https://example.org/schema.json"},
        {"properties": {"a": {"items": [{"$ref": "file:///etc/passwd"}]}}},
    ],
)
def test_a_faulty_schema_or_one_that_refers_elsewhere_is_refused(schema):
    """A schema is checked when written, and nothing is ever fetched for it."""
    with pytest.raises(DefinitionError, match="schema"):
        json_schema(schema)


def test_references_inside_a_schema_work(row):
    """A schema may refer to its own parts."""
    schema = {"$defs": {"n": {"type": "integer"}}, "items": {"$ref": "#/$defs/n"}}
    assert row(json_schema(schema), "[1, 2]").value == 1
    assert row(json_schema(schema), '["x"]').value == 0


@pytest.mark.parametrize(
    ("text", "path", "target", "expected"),
    [
        ('{"label": "praise"}', "label", "praise", 1),
        ('{"label": " praise "}', "label", "praise", 1),
        ('{"label": "x"}', "label", "praise", 0),
        ('{"n": 3}', "n", "3", 1),
        ('{"n": 3.0}', "n", 3, 1),
        ('{"n": 3.5}', "n", np.float64(3.5), 1),
        ('{"ok": true}', "ok", "True", 1),
        ('{"ok": true}', "ok", 1, 0),
        ('{"a": {"b": [{"c": "x"}]}}', "a.b.0.c", "x", 1),
        ('{"tags": ["x", "y"]}', "tags", ["x", "y"], 1),
        ('{"tags": "y"}', "tags", ["x", "y"], 1),
        ('{"n": 4}', "n", ["3", "4"], 1),
        ('{"tags": "z"}', "tags", ["x", "y"], 0),
        ('{"n": 0.1}', "n", "0.10", 1),
        ('{"n": "12345678901234567.89"}', "n", "12345678901234567.89", 1),
        ('{"n": 7}', "n", "007", 0),
        ('{"n": 1' + "0" * 400 + "}", "n", 3, 0),
    ],
)
def test_a_field_is_compared(row, text, path, target, expected):
    """Numbers, truth values and lists are equal as they are meant, in JSON and in a table."""
    assert row(json_field(path, target="target"), text, target=target).value == expected


@pytest.mark.parametrize("text", ["praise", "{}", "[1]", '{"label": {"deep": 1}}'])
def test_a_missing_field_counts_as_told(row, text):
    """No JSON and no such field are 0 by default, and not scored where that is asked for."""
    path = "label.name"
    assert row(json_field(path, target="t"), text, t="x").value == 0
    assert row(json_field(path, target="t", unreadable=None), text, t="x").value is None


def test_the_column_is_by_default_the_path(row):
    """`json_field("label")` compares with the column label, without case if asked."""
    scorer = json_field("label", ignore_case=True)
    assert (scorer.name, scorer.columns) == ("label", ("label",))
    assert row(scorer, '{"label": "PRAISE"}', label="praise").value == 1
