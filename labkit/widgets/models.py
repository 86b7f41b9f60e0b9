"""Choose models and their params: price, context window and key stand beside each. It asks nobody.

`.value` is what `lab.plan(models=…)` takes, with and without a browser.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from labkit.arguments import able, check, mapping
from labkit.catalog.per_step import PerStep
from labkit.errors import DefinitionError
from labkit.store.filters import listed
from labkit.visible import quoted
from labkit.widgets import sources
from labkit.widgets.pulling import weights_here
from labkit.widgets.selector import Choice, Selector

if TYPE_CHECKING:
    from labkit.catalog.model import Model

CAPABILITIES = ("vision", "tools", "json", "reasoning")
FACTS = ("context (tokens)", "USD per million tokens", "key or weights")
EFFORTS = ("minimal", "low", "medium", "high")


class HasModels(Protocol):
    """What the selector needs of a lab: its catalog, with a `frame()` of one row per model."""

    @property
    def models(self) -> Any: ...


class ModelSelector(Selector):
    """The lab's models to choose from, with search, filters, and params for each.

    `.value` is a tuple: ids, and where params were set, models that carry them. Without `value=` every
    local model whose weights are here is chosen, so *Run All* works without a key. `lk.per_step(…)` in
    `value=` stands below the list with a tick of its own. `params` maps a model's id to its params. Raises
    `DefinitionError` naming what the lab does not list.

    >>> models = ModelSelector(lab)             # doctest: +SKIP
    >>> plan = lab.plan(prompts=["{{ text }}"], models=models.value)   # doctest: +SKIP
    """

    _drawn_by = "modelform.ModelForm"

    def __init__(
        self,
        lab: HasModels,
        *,
        value: str | PerStep | Sequence[str | PerStep] | None = None,
        params: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        check(able("lab", lab, "models", like="a lab: lk.Lab(…)"))
        self._catalog = lab.models
        wanted = self._split(value)
        rows: list[dict[Any, Any]] = lab.models.frame().to_dict("records")
        here = weights_here() if any(row["provider"] == "local" for row in rows) else frozenset()
        choices = [_choice(row, here) for row in rows if _is_none(row["retired"]) or row["id"] in wanted]
        ready = [choice.value for choice in choices if choice.tags.issuperset({"local", "ready"})]
        self._params: dict[str, dict[str, Any]] = {}
        super().__init__(
            choices,
            value=ready if value is None else wanted,
            call="lk.ModelSelector",
            heads=("model", *FACTS),
        )
        own = {} if params is None else params
        check(mapping("params", own, like="{'openai/gpt-4o': {'temperature': 0}}"))
        for model, given in own.items():
            check(mapping(f"params of {quoted(model)}", given, like="{'temperature': 0}"))
            self.set_params(self._id(model), **given)

    @property
    def value(self) -> tuple[str | Model | PerStep, ...]:
        """The chosen models in the list's order: ids, or models with the params set here; then those per
        step."""
        return (*map(self._asked, self.chosen), *map(self._asked_per_step, self._ticked))

    @value.setter
    def value(self, chosen: str | PerStep | Sequence[str | PerStep]) -> None:
        self.choose(self._split(chosen))

    @property
    def per_step(self) -> tuple[PerStep, ...]:
        """Models given per step, ticked or not."""
        return tuple(self._per_step)

    def uses(self, given: PerStep) -> bool:
        """Whether one of `per_step` is ticked."""
        return self._per_step.get(given, False)

    def use_per_step(self, given: PerStep, on: bool) -> None:
        """Count one of `per_step` among the chosen, or no longer."""
        if given not in self._per_step:
            raise DefinitionError(f"lk.ModelSelector was not given {quoted(given)}.")
        self._per_step[given] = on
        self.changed()

    @property
    def beside(self) -> str:
        """What is ticked below the list."""
        return " and those per step below" if self._ticked else ""

    def params(self, model: str) -> dict[str, Any]:
        """The params set here for one model."""
        return dict(self._params.get(self._of(model), {}))

    def set_params(self, model: str, **params: Any) -> None:
        """Set params of one model; None takes one back."""
        model = self._of(model)
        kept = {**self._params.get(model, {}), **params}
        self._params[model] = {name: value for name, value in kept.items() if value is not None}
        self.changed()

    def renew(self, model: str) -> None:
        """Look again whether a model's weights are here."""
        model = self._of(model)
        rows = self._catalog.frame().to_dict("records")
        row = next(row for row in rows if row["id"] == model)
        self._choices[model] = _choice(row, weights_here())
        self.changed()

    @property
    def code(self) -> str:
        """The Python that makes this choice."""
        own = {id: given for id in self._params if (given := self.params(id)) and self._matters(id)}
        params = f", params={own!r}" if own else ""
        per_step = [_code(given, repr) for given in self._ticked]
        return f"{self._call}(lab, value=[{', '.join([*map(repr, self.chosen), *per_step])}]{params})"

    @property
    def value_code(self) -> list[str]:
        """One Python expression per chosen model, as `lab.plan(models=[…])` takes them."""
        per_step = [_code(given, self._one_code) for given in self._ticked]
        return [*map(self._one_code, self.chosen), *per_step]

    def _rows(self) -> list[tuple[str, ...]]:
        return [*super()._rows(), *((repr(given), *[""] * len(FACTS)) for given in self._ticked)]

    @property
    def _ticked(self) -> list[PerStep]:
        return [given for given in self.per_step if self.uses(given)]

    def _matters(self, id: str) -> bool:
        return id in self.chosen or any(id in some for one in self._ticked for some in one.models.values())

    def _asked(self, id: str) -> str | Model:
        own = self._params.get(id)
        if not own:
            return id
        model: Model = self._catalog[id]
        return model.replace(params={**model.params, **own})

    def _asked_per_step(self, given: PerStep) -> PerStep:
        return PerStep(
            {
                step: tuple(self._asked(one) if isinstance(one, str) else one for one in some)
                for step, some in given.models.items()
            }
        )

    def _one_code(self, id: str) -> str:
        own = self._params.get(id)
        if not own:
            return repr(id)
        return f"lab.models[{id!r}].replace(params={ {**self._catalog[id].params, **own}!r})"

    def _split(self, given: Any) -> list[str]:
        """The ids of the models; those per step are kept apart, and are all ticked."""
        several = [] if given is None else listed(given)
        per_step = [one for one in several if isinstance(one, PerStep)]
        self._per_step: dict[PerStep, bool] = dict.fromkeys(map(self._known, per_step), True)
        return [self._id(one) for one in several if not isinstance(one, PerStep)]

    def _known(self, given: PerStep) -> PerStep:
        """The same with ids for aliases. Raises `DefinitionError` naming what the lab does not list."""
        names = [one for some in given.models.values() for one in some if isinstance(one, str)]
        if strangers := [name for name in dict.fromkeys(names) if name not in self._catalog]:
            raise DefinitionError(
                f"lk.ModelSelector does not list {', '.join(map(quoted, strangers))}, named per step."
            )
        return PerStep(
            {
                step: tuple(self._id(one) if isinstance(one, str) else one for one in some)
                for step, some in given.models.items()
            }
        )

    def _of(self, model: str) -> str:
        if not self._lists(model):
            raise DefinitionError(f"lk.ModelSelector does not list {quoted(model)}.")
        return model

    def _id(self, name: str) -> str:
        """The id behind an alias; what is unknown stays as it is, to be named in the error."""
        return str(self._catalog[name].id) if name in self._catalog else name


def _code(given: PerStep, one_code: Callable[[str], str]) -> str:
    """The Python of models per step; a model that was given as one by the notebook's name for it."""

    def code(model: str | Model) -> str:
        if isinstance(model, str):
            return one_code(model)
        return sources.name_of(model, sources.notebook_names()) or repr(model.id)

    steps = (f"{step}=[{', '.join(map(code, some))}]" for step, some in given.models.items())
    return f"lk.per_step({', '.join(steps)})"


def _choice(row: Mapping[Any, Any], here: frozenset[str]) -> Choice:
    provider, name = str(row["provider"]), str(row["id"]).partition("/")[2]
    key, ready = _key(row, name in here)
    tags = {
        f"provider:{provider}",
        *(["local"] if provider == "local" else []),
        *(["ready"] if ready else []),
    }
    tags |= {f"can:{able}" for able in CAPABILITIES if row.get(able) is True}
    return Choice(str(row["id"]), str(row["id"]), (_window(row), _price(row), key), frozenset(tags))


def _key(row: Mapping[Any, Any], here: bool) -> tuple[str, bool]:
    if row["provider"] == "local":
        return ("weights here", True) if here else ("weights missing", False)
    words = {"found": "key found", "missing": "key missing", "not needed": "no key needed"}
    return words.get(row["key"], f"key {row['key']}"), row["key"] != "missing"


def _window(row: Mapping[Any, Any]) -> str:
    window = row["context_window"]
    return "unknown" if _is_none(window) else f"{int(window):,}"


def _price(row: Mapping[Any, Any]) -> str:
    prices = [row["input_usd_mtok"], row["output_usd_mtok"]]
    if any(map(_is_none, prices)):
        return "unknown"
    return "free" if not any(prices) else f"{prices[0]:g} in · {prices[1]:g} out"


def _is_none(value: Any) -> bool:
    return value is None or value != value or str(value) in ("<NA>", "NaT")
