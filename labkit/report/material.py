"""What a report is made from, gathered by whoever knows the run. It holds values and makes none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from labkit.stats.scale import Scale


class Judged(Protocol):
    """A verdict, as far as a report reads it."""

    @property
    def by(self) -> tuple[str, ...]: ...
    @property
    def scorer(self) -> str: ...
    @property
    def level(self) -> float: ...
    @property
    def margin(self) -> float | None: ...
    @property
    def better(self) -> str: ...
    @property
    def watched(self) -> bool: ...
    @property
    def scale(self) -> Scale: ...
    @property
    def headline(self) -> str: ...
    @property
    def conclusion(self) -> tuple[str, ...]: ...
    @property
    def sentences(self) -> tuple[str, ...]: ...
    @property
    def ranks(self) -> tuple[str, ...]: ...
    @property
    def notes(self) -> tuple[str, ...]: ...
    @property
    def pairs(self) -> pd.DataFrame: ...
    @property
    def contenders(self) -> pd.DataFrame: ...
    def html(self, *, most: int | None = None, contenders: bool = True) -> str: ...


class Measured(Protocol):
    """What blocks are worth, as far as a report reads it."""

    @property
    def sentences(self) -> tuple[str, ...]: ...
    @property
    def conclusion(self) -> tuple[str, ...]: ...
    @property
    def notes(self) -> tuple[str, ...]: ...
    def html(self) -> str: ...


class Shown(Protocol):
    """Rows that decide, as far as a report reads them."""

    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def called(self) -> Mapping[str, str]: ...
    def frame(self) -> pd.DataFrame: ...
    def _repr_html_(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What a sentinel said of the run."""

    sentinel: str
    workspace: str
    night: int
    outcome: str
    sentences: Sequence[str]
    notes: Sequence[str]
    again_of: str | None
    """The run that was checked, where this one only asked its rows again; None: this one."""
    baseline: Mapping[str, Any] | None
    """`name`, `accepted_by`, `accepted_at`, `why`, `forced`, `run_ids`; None: it was held against none."""
    figure: go.Figure | None
    """Its nights up to this one."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """Everything a report tells of one run."""

    question: str
    run: Mapping[str, Any]
    """The run's row: run_id, plan_id, experiment, workspace, status, cells, done, failed, cost_usd, times."""
    prompts: Sequence[Mapping[str, Any]]
    """`name`, `version`, `hash`, `system`, `text`."""
    models: Sequence[Mapping[str, Any]]
    """`model`, `label`, `endpoint`, `params`, `response_models`, `price_ids`."""
    dataset: Mapping[str, Any]
    """`name`, `hash`, `samples`."""
    repeats: int
    scorers: Sequence[str]
    provenance: Mapping[str, Any]
    verdict: Judged | None
    """None where nothing was scored."""
    blocks: Measured | None = None
    """None where no prompt was asked in several sets of its blocks."""
    summary: pd.DataFrame
    differences: Shown | None
    judges: Mapping[str, Mapping[str, Any]]
    """By score of a judge what is to be known of it: see `labkit.run.judge_facts`."""
    missing: pd.DataFrame
    """`prompt`, `model`, `status`, `error_type`, `answers`: what is not done."""
    figures: Sequence[tuple[str, go.Figure]] = ()
    watched: Sequence[Watched] = ()
    """By sentinel that checked the run."""


# Names end where a path does, at a quote, a bracket or a blank.
_HOMES = re.compile(
    r"(?:/home|/Users)/[^/\s\"'<>&|]+|/root(?![\w.-])|[A-Za-z]:(?:\\{1,2}|/)Users(?:\\{1,2}|/)[^\\/\s\"'<>&|]+"
)


def scrub(text: str) -> str:
    """`text` without the paths of anybody's home: what is shown to others names no folder of theirs.

    >>> scrub("no file /home/ada/lab/x.gguf, nor C:\\\\Users\\\\ada\\\\x")
    'no file ~/lab/x.gguf, nor ~\\\\x'
    """
    home = str(Path.home())
    if len(home) > 3:
        text = re.sub(re.escape(home) + r"(?![\w.-])", "~", text)
    return _HOMES.sub("~", text)
