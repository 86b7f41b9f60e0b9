"""What a night showed of one prompt on one model by one metric: a score, the price or the latency.

Values and nothing else. How they are found is `night`'s, how they are said is `words`'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

COST, LATENCY, SCORE = "cost", "latency", "score."
"""Metrics: what an answer costs, how long it takes, and `score.<name>`."""

Said = Literal["worse", "not shown to be worse", "cannot tell", "absent"]
"""`absent`: there is nothing to measure, such as the price of a local model."""
By = Literal["quick", "slow", "certain"]
"""What an alarm rests on: tonight and a re-ask that agrees, a week pooled, or arithmetic (a price list)."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One metric of one prompt on one model tonight, against the baseline."""

    prompt: str
    model: str
    metric: str
    said: Said
    by: By | None = None
    """What raised the alarm; None: there is none, or it stood already (`stands`)."""
    stands: bool = False
    """Whether an alarm of an earlier night still holds."""
    since: str | None = None
    """When the night that raised the alarm was checked, as ISO text."""
    samples: int = 0
    """Rows that tonight and the baseline have in common."""
    before: float | None = None
    """The baseline's mean score, USD per answer, or typical seconds."""
    now: float | None = None
    """The same of what the sentence goes by: tonight, with the re-ask, or a week."""
    change: float | None = None
    """Of a score now − before, else now ÷ before; `low` and `high` are its 95 % interval."""
    low: float | None = None
    high: float | None = None
    margin: float | None = None
    """What would not matter: of a score a difference, else a ratio."""
    better: str = "higher"
    resolved: Sequence[str] = ()
    """The models that answered tonight, as the provider calls them."""
    causes: Sequence[str] = ()
    """What changed that can explain it."""
    rows: Sequence[str] = ()
    """The ids of the rows that became worst, where it is worse."""
    sentence: str = ""

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self) | {name: list(getattr(self, name)) for name in ("resolved", "causes", "rows")}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Finding:
        """The same again; what a newer labkit wrote besides is left out."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in plain.items() if name in known})
