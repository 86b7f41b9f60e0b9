"""What a reader may ask for: names, times, a limit, columns; checked, and turned into bound SQL.

No value a caller gives becomes part of a statement. It does not know which table is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from labkit.errors import DefinitionError
from labkit.visible import quoted

_FIRST, _LAST = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)  # noqa: DTZ001 - as in the tables


def names(wanted: Mapping[str, Any]) -> tuple[list[str], list[Any]]:
    """Conditions `column in (…)` and their parameters, for each column that is not None.

    A value is a text or several. Raises one `DefinitionError` for all that are neither.
    """
    conditions, params = [], []
    for column, chosen in texts(wanted).items():
        if len(chosen) == 1:
            # DuckDB reads what equals one value in the order it lies in; a set of them it joins, in any.
            conditions.append(f'"{column}" = ?::varchar')
            params.append(chosen[0])
        else:
            conditions.append(f'"{column}" in (select unnest(?::varchar[]))')
            params.append(chosen)
    return conditions, params


def texts(wanted: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The texts wanted of each column that is not None, without those that can be in no table.

    Raises one `DefinitionError` for all that are neither a text nor several.
    """
    found: dict[str, list[Any]] = {}
    faults = []
    for column, value in wanted.items():
        if value is None:
            continue
        if isinstance(value, bytes | Mapping) or not isinstance(value, Iterable):
            faults.append(f"{column}={quoted(value)} is no name. Give a text, or a list of texts.")
            continue
        chosen = listed(value)
        strange = [one for one in chosen if not isinstance(one, str)]
        if strange:
            faults.append(f"{column} has {quoted(strange[0])} in it, which is no text.")
            continue
        # A lone surrogate cannot be in the tables, and DuckDB would not take it as a parameter.
        found[column] = [one for one in chosen if one.isascii() or _can_be_kept(one)]
    if faults:
        raise DefinitionError(faults)
    return found


def listed(value: Any) -> list[Any]:
    """One or several, as a list: a text is one, and so is what holds nothing else.

    >>> listed("model"), listed(("model", "prompt")), listed(3)
    (['model'], ['model', 'prompt'], [3])
    """
    return [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)


def _can_be_kept(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def times(column: str, *, since: Any, until: Any) -> tuple[list[str], list[Any]]:
    """Conditions `since <= column < until` in UTC; a plain date as `until` means that whole day."""
    faults: list[str] = []
    conditions, params = [], []
    for what, value, sign in (("since", since, ">="), ("until", until, "<")):
        if value is not None:
            try:
                params.append(utc(value, end=what == "until"))
                conditions.append(f"{column} {sign} ?")
            except (TypeError, ValueError):
                faults.append(
                    f"{what}={quoted(value)} is no time. Give a date or time as ISO text "
                    "(2026-11-01, 2026-11-01T09:00+01:00), date, datetime or Timestamp."
                )
    if faults:
        raise DefinitionError(faults)
    return conditions, params


def utc(value: Any, *, end: bool = False) -> datetime:
    """A date or time as a moment in UTC, without a zone; of a plain date its beginning, or its `end`.

    Raises `TypeError` or `ValueError` for what is neither.
    """
    if isinstance(value, str):
        text = value.strip()
        value = date.fromisoformat(text) if _is_date(text) else datetime.fromisoformat(text)
    if isinstance(value, datetime):
        if value != value:  # NaT
            raise ValueError
        convert = getattr(value, "to_pydatetime", None)
        moment: datetime = convert(warn=False) if convert else value
    elif isinstance(value, date):
        moment = datetime.combine(value, time())
        if end:
            moment = _LAST if value == date.max else moment + timedelta(days=1)
    else:
        raise TypeError
    if moment.tzinfo is None:
        return moment
    try:
        return moment.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        return _FIRST if moment.year == 1 else _LAST


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def limit(value: int | None) -> int | None:
    """A number of rows. Raises `DefinitionError` for anything else."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise DefinitionError(f"limit={quoted(value)} is no number of rows. Give 0 or more, or None for all.")
    return min(value, 2**62)


def columns(
    wanted: Sequence[str] | None, *, known: Sequence[str], prefixes: Sequence[str] = ()
) -> list[str] | None:
    """The wanted columns, each once. Raises one `DefinitionError` naming all that do not exist."""
    if wanted is None:
        return None
    chosen = listed(wanted)
    if not chosen:
        raise DefinitionError(f"columns is empty. Name some of: {', '.join(known)}; or None for all.")
    faults = [
        f"{quoted(column)} is no column. There are: {', '.join(known)}"
        + "".join(f", {prefix}<name>, {prefix}*" for prefix in prefixes)
        + "."
        for column in chosen
        if column not in known and not (isinstance(column, str) and column.startswith(tuple(prefixes)))
    ]
    if faults:
        raise DefinitionError(faults)
    return list(dict.fromkeys(chosen))


def matching(wanted: Sequence[str], there: Iterable[str]) -> list[str]:
    """The wanted columns, with all that are there in place of a `prefix.*`."""
    named = [str(column) for column in there]
    found: list[str] = []
    for column in wanted:
        prefix = column.removesuffix("*") if column.endswith(".*") else None
        found += [column] if prefix is None else [name for name in named if name.startswith(prefix)]
    return list(dict.fromkeys(found))
