"""Scorers for answers that are to be JSON: valid against a schema, and a field equal to a column.

The answer may stand in one code fence; two documents, a key given twice, NaN and Infinity are no
JSON. Nothing is fetched: a schema that refers elsewhere is refused. A schema's own `pattern`s run
with Python's `re`, so write none that can run away on long texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from labkit.errors import DefinitionError
from labkit.read import NoJson, read_json
from labkit.records import Generation, Sample
from labkit.scoring.matching import answer_text, explained, target_value
from labkit.scoring.recipe import built_in
from labkit.scoring.scorer import Scorer, Value, zero_or_one

STRUCTURE = "structure"

_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,15})\.[0-9]{1,15}")


@built_in
def json_schema(schema: Mapping[str, Any], *, name: str = "json_schema", step: str | None = None) -> Scorer:
    """1 where the answer is JSON that fits `schema` (JSON Schema, 2020-12 unless it says otherwise), else 0.

    The explanation says where it first does not fit. Raises DefinitionError where the schema is none
    or refers to a document outside itself.

    >>> json_schema({"type": "object", "required": ["label"]})
    Scorer('json_schema')
    """
    validator = _validator(schema, f"scorer {name!r}")
    fits = explained(lambda generation, sample: _fits(validator, generation))
    return Scorer(name, fits, low=0, high=1, step=1, of_step=step)


def as_asked(schemas: Mapping[str, Mapping[str, Any]]) -> Scorer:
    """The scorer `structure`, which a plan adds by itself where a model is asked for JSON of a schema.

    1 where the answer fits the schema its model was asked with, else 0 and why; the answer itself is kept
    as it came. A model that is not in `schemas`, which are by model id, is not scored. Raises
    DefinitionError naming every schema that is none.

    >>> as_asked({"openai/gpt-4o": {"type": "object"}})
    Scorer('structure')
    """
    validators: dict[str, Any] = {}
    faults: list[str] = []
    for model, schema in schemas.items():
        try:
            validators[model] = _validator(schema, model)
        except DefinitionError as error:
            faults += error.faults
    if faults:
        raise DefinitionError(faults)

    def compare(generation: Generation, sample: Sample) -> Value:
        validator = validators.get(generation.model)
        return None if validator is None else _fits(validator, generation)

    return Scorer(STRUCTURE, explained(compare), low=0, high=1, step=1)


def _validator(schema: Mapping[str, Any], what: str) -> Any:
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry

    kind = validator_for(dict(schema), default=Draft202012Validator)
    try:
        kind.check_schema(dict(schema))
    except SchemaError as error:
        raise DefinitionError(f"the schema of {what} is none: {error.message}") from None
    if outside := sorted(_outside(schema)):
        raise DefinitionError(f"the schema of {what} refers to {', '.join(outside)}; put it inside")
    return kind(dict(schema), registry=Registry())


def _fits(validator: Any, generation: Generation) -> Value:
    try:
        document = read_json(answer_text(generation))
    except NoJson as why:
        return {"value": 0, "explanation": str(why)}
    fault = next(iter(validator.iter_errors(document)), None)
    if fault is None:
        return 1.0
    return {"value": 0, "explanation": f"{fault.json_path}: {fault.message}"[:500]}


@built_in
def json_field(
    path: str,
    *,
    target: str | None = None,
    ignore_case: bool = False,
    unreadable: float | None = 0.0,
    name: str | None = None,
    step: str | None = None,
) -> Scorer:
    """1 where the field at `path` of a JSON answer equals the sample's column `target`, else 0.

    `path` has dots for depth and numbers for places in lists ("items.0.label"); `target` is by
    default the path itself. 3 equals 3.0, "3" and "3.00"; true equals "true" but not 1; a list in the column
    means itself, or any of these. An answer that is no JSON, or has no such field, counts as `unreadable`:
    0, or None for "not scored".

    >>> json_field("label").name
    'label'
    """
    column = target if target is not None else path

    def compare(generation: Generation, sample: Sample) -> Value:
        wanted = _plain(target_value(sample, column), ignore_case)
        try:
            found = _plain(_at(read_json(answer_text(generation)), path), ignore_case)
        except NoJson as why:
            return {"value": unreadable, "explanation": str(why)}
        return float(found == wanted or (isinstance(wanted, list) and found in wanted))

    return zero_or_one(name or path, explained(compare), (column,), unreadable, step)


def _at(document: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(document, list) and step.isdecimal() and int(step) < len(document):
            document = document[int(step)]
        else:
            raise NoJson(f"there is no {step!r} on the way to {path!r}")
    return document


def _plain(value: Any, ignore_case: bool) -> Any:
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(int(value)) if isinstance(value, int) or value.is_integer() else str(value)
    if isinstance(value, str):
        text = value.strip()
        # A decimal with all its digits, as tables have them; `007` is no number.
        if _DECIMAL.fullmatch(text):
            return text.rstrip("0").rstrip(".")
        text = text.lower() if text in ("True", "False") else text
        return text.casefold() if ignore_case else text
    if isinstance(value, dict):
        return {key: _plain(one, ignore_case) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one, ignore_case) for one in value]
    return value


def _outside(schema: Any) -> set[str]:
    if isinstance(schema, Mapping):
        own = {
            str(schema[key])
            for key in ("$ref", "$dynamicRef")
            if isinstance(schema.get(key), str) and not str(schema[key]).startswith("#")
        }
        return own.union(*map(_outside, schema.values()))
    if isinstance(schema, (list, tuple)):
        return set().union(*map(_outside, schema))
    return set()
