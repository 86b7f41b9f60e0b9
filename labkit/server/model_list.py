"""The models that the service offers, as clients of the workbench read them; found by any of their names.

It does not know keys and weights beyond whether they are found, and contacts nobody.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from labkit import keys
from labkit.catalog.catalog import Catalog
from labkit.catalog.model import CAPABILITIES, Model
from labkit.errors import DefinitionError, MissingPackage
from labkit.nearest import near
from labkit.providers import local
from labkit.visible import quoted

KEPT_S = 5.0
"""So old what is told of all models may be: a key that is put into `.env` shows then."""
_PER_1K = {"inputCostPer1kTokens": "input", "outputCostPer1kTokens": "output"}


class Listed(NamedTuple):
    """All models as JSON, and the tag that changes with it."""

    body: bytes
    etag: str
    at_s: float


class ModelList:
    """The models of one catalog; keys are looked for from `folder`."""

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self._catalog = catalog
        self._folder = folder
        self._listed: Listed | None = None

    def find(self, name: str) -> Model | None:
        """The model of that id, alias or bare name; never a file of this machine."""
        if name.startswith("local:"):
            return None
        try:
            return self._catalog.get(name)
        except DefinitionError:
            return None

    def lacking(self, name: str) -> str:
        """That there is none of that name, and the nearest there are."""
        names = [known for model in self._catalog for known in (model.id, *model.aliases)]
        likest = near(name, names)
        hint = f"The nearest: {', '.join(likest)}. " if likest else ""
        return f"there is no model {quoted(name)}. {hint}GET /api/v1/models lists them."

    def lacks(self, model: Model) -> str | None:
        """Why it cannot be asked, and what to do; None: its key is found, or its weights are here."""
        return self._key_and_lacks(model)[1]

    def _key_and_lacks(self, model: Model) -> tuple[str, str | None]:
        is_local = model.dialect == "local"
        try:
            if is_local:
                local.check_here(model)
                return "not needed", None
            return "not needed" if keys.for_model(model, folder=self._folder) is None else "found", None
        except (DefinitionError, MissingPackage) as hindrance:
            return "not needed" if is_local else "missing", str(hindrance)

    def all(self) -> Listed:
        """All of them, as they were at most `KEPT_S` ago."""
        listed, now_s = self._listed, time.monotonic()
        if listed is None or now_s - listed.at_s > KEPT_S:
            body = msgspec.json.encode([self.described(model, model.id) for model in self._catalog])
            etag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
            listed = self._listed = Listed(body, etag, now_s)
        return listed

    def described(self, model: Model, name: str) -> dict[str, Any]:
        """One, under the `name` it was asked for by; what is not known is left out."""
        pricer = self._catalog.pricer(model, datetime.now(UTC))
        usd_mtok = {told: pricer.usd_mtok(kind) for told, kind in _PER_1K.items()}
        per_1k = {told: usd / 1000 for told, usd in usd_mtok.items() if usd is not None}
        told: dict[str, Any] = {
            "id": name,
            "name": model.label or model.name,
            "provider": model.provider,
            "maxTokens": model.context_window,
            "supportsStreaming": model.streams,
            "costPer1kTokens": per_1k.get("inputCostPer1kTokens"),
            "contextWindow": model.context_window,
            "pricing": per_1k or None,
            "metadata": self._metadata(model),
        }
        return {name: value for name, value in told.items() if value is not None}

    def _metadata(self, model: Model) -> Mapping[str, Any]:
        key, lacks = self._key_and_lacks(model)
        told = {
            "modelId": model.id,
            "aliases": list(model.aliases),
            "ready": lacks is None,
            "lacks": lacks,
            "key": key,
            "capabilities": [name for name in CAPABILITIES if name in model.capabilities],
            "maxOutputTokens": model.max_output,
            "retired": None if model.retired is None else model.retired.isoformat(),
        }
        return {name: value for name, value in told.items() if value is not None}
