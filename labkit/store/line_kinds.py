"""The kinds of journal line: for each record type its tag, its table and its columns.

A record's fields are its table's columns, under the same names. It does not know files or DuckDB.
"""

from __future__ import annotations

import types
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from labkit import records
from labkit.store import definition_records

Shape = Literal["text", "whole", "number", "flag", "time", "json"]
"""What a column holds, in DuckDB's words: VARCHAR, BIGINT, DOUBLE, BOOLEAN, TIMESTAMP (UTC), JSON."""

NULL = msgspec.Raw(b"null")
_LENIENT: dict[Shape, Any] = {
    "text": (str | None, None),
    "whole": (int | None, None),
    "number": (float | None, None),
    "flag": (bool | None, None),
    "time": (datetime | None, None),
    "json": (msgspec.Raw, NULL),
}


@dataclass(frozen=True)
class Kind:
    """How one type of record is kept."""

    tag: str
    table: str
    """The table's name in the schema `log`."""
    record: type[records.Record]
    columns: dict[str, Shape]
    decoder: msgspec.json.Decoder[Any]
    """Reads a line into a struct of these columns. A column that is missing or null is None: lines of
    an older labkit come in too. A value of the wrong type is refused."""


def _shape(hint: Any) -> Shape:
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = (part for part in get_args(hint) if part is not type(None))
    if get_origin(hint) is Literal or hint is str:
        return "text"
    simple: dict[Any, Shape] = {int: "whole", float: "number", bool: "flag", datetime: "time"}
    return simple.get(hint, "json")


def _kind(tag: str, table: str, record: type[records.Record]) -> Kind:
    hints = get_type_hints(record)
    columns = {name: _shape(hints[name]) for name in record.__struct_fields__}
    lenient = msgspec.defstruct(
        f"{record.__name__}Line", [(name, *_LENIENT[shape]) for name, shape in columns.items()], gc=False
    )
    return Kind(tag, table, record, columns, msgspec.json.Decoder(lenient))


KINDS: tuple[Kind, ...] = (
    _kind("generation", "generations", records.Generation),
    _kind("attempt", "attempts", records.Attempt),
    _kind("intent", "intents", records.Intent),
    _kind("score", "scores", records.Score),
    _kind("label", "labels", definition_records.LabelRecord),
    _kind("rating", "ratings", definition_records.RatingRecord),
    _kind("run", "runs", records.RunRecord),
    _kind("event", "run_events", records.RunEvent),
    _kind("request", "requests", records.Request),
    _kind("prompt", "prompts", definition_records.PromptRecord),
    _kind("block", "blocks", definition_records.BlockRecord),
    _kind("sample", "samples", definition_records.SampleRecord),
    _kind("model", "models", definition_records.ModelRecord),
    _kind("baseline", "baselines", definition_records.BaselineRecord),
    _kind("check", "checks", definition_records.CheckRecord),
    _kind("notice", "notices", definition_records.NoticeRecord),
    _kind("received", "received", definition_records.ReceivedRecord),
)
SHARED = tuple(kind for kind in KINDS if kind.record is not definition_records.ReceivedRecord)
"""The kinds that go to the other machines of a shared lab; the rest is of this one alone."""
BY_TAG = {kind.tag.encode(): kind for kind in KINDS}
BY_RECORD = {kind.record: kind for kind in KINDS}
