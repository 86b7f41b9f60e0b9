"""How a built-in scorer was made, kept with the run that it scored, so that it can be made again.

Of a function of one's own nothing is kept but its name. It does not know where recipes are kept.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any, ParamSpec

from labkit.catalog.model import Model
from labkit.errors import DefinitionError
from labkit.scoring.scorer import Scorer, scorers

P = ParamSpec("P")
_MAKERS: dict[str, Callable[..., Scorer]] = {}


def built_in(make: Callable[P, Scorer]) -> Callable[P, Scorer]:
    """Marks what makes a scorer out of plain values: then the scorer knows how it was made.

    >>> from labkit.scoring import exact
    >>> exact("label").recipe
    {'make': 'exact', 'given': {'target': 'label'}}
    """
    takes = inspect.signature(make)

    @wraps(make)
    def made(*args: P.args, **kwargs: P.kwargs) -> Scorer:
        scorer = make(*args, **kwargs)
        given = {name: _by_id(one) for name, one in takes.bind(*args, **kwargs).arguments.items()}
        try:  # through bytes, as the lab keeps it: a copy that nobody changes, of what comes back as it was
            plain = json.loads(json.dumps(given, allow_nan=False, ensure_ascii=False).encode())
        except (TypeError, ValueError, RecursionError):
            return scorer
        return replace(scorer, recipe={"make": make.__name__, "given": plain}) if plain == given else scorer

    _MAKERS[make.__name__] = made
    return made


def _by_id(value: Any) -> Any:
    """A model is kept by its id: its client and its key are nobody's to keep."""
    if isinstance(value, list | tuple) and any(isinstance(one, Model) for one in value):
        return [_by_id(one) for one in value]
    return value.id if isinstance(value, Model) else value


def kept(scorer: Scorer) -> dict[str, Any]:
    """What is written down of a scorer."""
    return {"name": scorer.name, **(scorer.recipe or {})}


def made_again(told: Mapping[str, Any]) -> Scorer | None:
    """The scorer of which `kept` told this; None where it was a function of one's own.

    >>> made_again({"name": "short"}), made_again({"name": "exact", "make": "exact", "given": {}})
    (None, Scorer('exact'))
    """
    try:
        (scorer,) = scorers(_MAKERS[told["make"]](**told["given"]))
    # A row of the lab may be from another labkit, which took other arguments, or from anybody.
    except (DefinitionError, KeyError, OverflowError, RecursionError, TypeError, ValueError):
        return None
    return scorer if scorer.name == told.get("name") else None
