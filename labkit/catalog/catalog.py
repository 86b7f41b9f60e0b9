"""The models there are: listed ones, a user's own, and any that genai-prices knows.

Get one by its id, an alias or its bare name; a name that is not there raises, with the nearest
there are. It does not know keys (they are told to `frame`), nor which models answer today.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.catalog import check, listed, overlay, prices
from labkit.catalog.model import Model, Weights
from labkit.catalog.prices import Pricer
from labkit.errors import DefinitionError, UnknownModel
from labkit.nearest import near
from labkit.visible import quoted

if TYPE_CHECKING:
    import pandas as pd

_DEFAULTS = Model("none/none")
_PRICED = ("openai", "anthropic")
_COMPLETED = (
    "label",
    "aliases",
    "context_window",
    "max_output",
    "capabilities",
    "lacks",
    "retired",
    "weights",
)


class Catalog:
    """A list of models. `Catalog()` holds the models labkit lists; `lab.models` is one.

    `keys` tells the table the state of a model's key (`found`, `missing`, `not needed`), as
    `labkit.keys.state` does; a lab gives it.

    >>> models = Catalog()
    >>> models["gpt-4o"].context_window
    128000
    >>> models.get("openai/gpt-4o") == models.get("gpt-4o")
    True
    """

    def __init__(
        self, models: Iterable[Model] | None = None, *, keys: Callable[[Model], str] | None = None
    ) -> None:
        self._keys = keys
        self._models: dict[str, Model] = {}
        if models is None:
            # They are checked by a test, not at every start.
            self._models.update((model.id, model) for model in overlay.bundled())
        else:
            self.add(*models)

    def get(self, model: str) -> Model:
        """The model of that id, alias or bare name; `local:PATH` is the GGUF file at PATH.

        Any `openai/…` or `anthropic/…` id that genai-prices knows can be got without being listed.
        Raises `UnknownModel` naming the nearest, or `DefinitionError` for a PATH that is no GGUF file.
        """
        if not isinstance(model, str):
            raise UnknownModel(f"A model is named by text, not by {type(model).__name__}.")
        if model.startswith("local:"):
            return _from_file(model.removeprefix("local:"))
        if model in self._models:
            return self._models[model]
        for names in (_aliases, _bare_name):
            found = [one for one in self if model.casefold() in names(one)]
            if len(found) == 1:
                return found[0]
            if found:
                ids = " and ".join(one.id for one in found)
                raise UnknownModel(f"The name {model!r} stands for {ids}: say which one by its id.")
        priced = _priced(model)
        if priced is None:
            raise UnknownModel(self._unknown(model))
        return priced

    __getitem__ = get

    def add(self, *models: Model) -> None:
        """Put models into the catalog; one that has the id of another takes its place.

        Raises `DefinitionError` with everything that is wrong with any of them, and then adds none.
        """
        strange = [model for model in models if not isinstance(model, Model)]
        if strange:
            raise DefinitionError(
                f"models is to be a list of lk.Model, or a TOML file; got {quoted(strange[0])}."
            )
        wrong = [fault for model in models for fault in check.faults(model)]
        together = {**self._models, **{str(model.id): model for model in models}}
        for model in models:
            for alias in sorted(_aliases(model)):
                owners = {one.id for one in together.values() if alias in {one.id, *_aliases(one)}} - {
                    model.id
                }
                if owners:
                    wrong.append(
                        f"The alias {quoted(alias)} of {model.id} stands for {' and '.join(sorted(owners))}."
                    )
        if wrong:
            raise DefinitionError(dict.fromkeys(wrong))
        self._models.update((model.id, model) for model in models)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Add the models in a TOML file of `[[model]]` tables: see `labkit.catalog.overlay`."""
        self.add(*overlay.read(path))

    def checked(self, model: Model) -> Model:
        """`model`, with what it leaves open filled in from the catalog's entry of its id.

        An entry that is asked at another address is another model, and fills in nothing. Raises
        `DefinitionError` with everything that is wrong with the model.
        """
        wrong = check.faults(model)
        if wrong:
            raise DefinitionError(wrong)
        listed = self._models.get(model.id)
        if listed is None and model.base_url is None and model.client is None:
            listed = _priced(model.id)
        if listed is None or (model.base_url or listed.base_url) != listed.base_url:
            return model
        unset = [name for name in _COMPLETED if getattr(model, name) == getattr(_DEFAULTS, name)]
        return model.replace(**{name: getattr(listed, name) for name in unset})

    def pricer(self, model: Model, at: datetime, *, params: Mapping[str, Any] | None = None) -> Pricer:
        """The prices of `model` for requests sent at `at`: see `labkit.catalog.prices.pricer`."""
        return prices.pricer(model, at, params=params)

    def frame(self, *, at: datetime | None = None) -> pd.DataFrame:
        """One row a model with its prices at `at` (by default now), as `labkit.catalog.table` documents."""
        from labkit.catalog.table import frame

        return frame(self, keys=self._keys, at=at or datetime.now(UTC))

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models.values())

    def __len__(self) -> int:
        return len(self._models)

    def __contains__(self, model: object) -> bool:
        try:
            return isinstance(model, str) and self.get(model) is not None
        except DefinitionError:
            return False

    def __repr__(self) -> str:
        return f"Catalog({len(self):,} models)"

    def _repr_html_(self) -> str:
        from labkit.catalog.table import html

        return html(self, keys=self._keys, at=datetime.now(UTC))

    def _ipython_key_completions_(self) -> list[str]:
        return [*self._models, *sorted(alias for model in self for alias in model.aliases)]

    def _unknown(self, model: str) -> str:
        known = [*self._ipython_key_completions_(), *listed.ids("openai"), *listed.ids("anthropic")]
        shown = f"{model[:80]!r}{'…' if len(model) > 80 else ''}"
        likest = near(model, known)
        hint = f"The nearest: {', '.join(likest)}. " if likest else "lab.models lists those there are. "
        return (
            f"There is no model {shown}. {hint}One that labkit does not list is "
            'lk.Model("provider/name", base_url="https://…/v1", key_env="MY_KEY").'
        )


def _aliases(model: Model) -> set[str]:
    return {alias.casefold() for alias in model.aliases}


def _bare_name(model: Model) -> set[str]:
    return {model.name.casefold()}


def _priced(id: str) -> Model | None:
    """A model that is not listed but that genai-prices knows, with what its data says."""
    if "/" not in id:
        # A bare name is taken only as it stands in the data: its looser matching would take typing errors.
        owners = [provider for provider in _PRICED if f"{provider}/{id}" in listed.ids(provider)]
        id = f"{owners[0]}/{id}" if len(owners) == 1 else id
    provider, _, name = id.partition("/")
    if provider not in _PRICED or check.id_fault(id):
        return None
    found = listed.find(provider, name)
    return None if isinstance(found, str) else Model(id, context_window=found[1].context_window)


def _from_file(path: str) -> Model:
    wrong = check.weights_file_faults(path)
    if wrong:
        raise DefinitionError(wrong)
    found = Path(path).expanduser()
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", found.stem).strip("-.")[:150] or "model"
    return Model(f"local/{stem}", weights=Weights(path=found))
