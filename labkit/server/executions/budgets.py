"""What users and workspaces may spend in a day and in a month, of UTC: set aside before a run is asked,
settled after.

`reserve` belongs into the `state.writing()` block that admits a run: what it reads then stays true until it
has written, so that no two runs take the same money. A run counts on the day it was admitted, however long
it goes; a changed limit holds from the next admission on. Nothing is freed by time: a run that was killed
keeps its reservation until it is settled. It does not know what a run costs; one that costs more than its
worst case, because a provider bills more than it was asked for, is counted as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Literal

from sqlalchemy import Row, and_, bindparam, func, insert, or_, select, update
from sqlalchemy.orm import Session

from labkit.dollars import PUSD, at_least, at_most, pusd_up, usd
from labkit.errors import DefinitionError
from labkit.server.accounts.principal import Principal
from labkit.server.problems import Problem
from labkit.server.state.tables import Budget, DaySpending, Spending

Kind = Literal["user", "workspace"]
Period = Literal["day", "month"]
MOST_USD = 9_000_000
"""So much the tables' columns hold, in millionths of a millionth."""
# Read and written by themselves where every run passes: that takes a third of the time that objects do.
_SPENDING, _DAYS = (DaySpending.metadata.tables[one.__tablename__] for one in (Spending, DaySpending))
_ALL = select(Budget.kind, Budget.subject, Budget.period, Budget.limit_pusd).order_by(
    Budget.kind, Budget.subject, Budget.period
)
_APPLYING = _ALL.where(
    or_(
        and_(Budget.kind == "user", Budget.subject == bindparam("user_id")),
        and_(Budget.kind == "workspace", Budget.subject.in_(bindparam("workspaces", expanding=True))),
    )
)
"""Those of one user and of some workspaces."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A budget and what is left of it. `resets` is when its period ends, in UTC with `Z`."""

    kind: str
    subject: str
    period: str
    limit_usd: float
    left_usd: float
    resets: str

    def lacking(self, worst_usd: float) -> str:
        """Why a run that may cost so much does not fit, in words."""
        whose = "Your budget" if self.kind == "user" else f"The budget of workspace {self.subject!r}"
        told = (
            f"{whose} of USD {usd(self.limit_usd)} a {self.period} has USD {at_least(self.left_usd)} left, "
            f"and this may cost up to USD {at_most(worst_usd)}."
        )
        if worst_usd > self.limit_usd:
            return f"{told} That is more than the whole budget: ask fewer models, or for less."
        return f"{told} It resets at {self.resets}."


def reserve(
    session: Session, run_id: str, user_id: str, workspace: str, worst_usd: float | None, at_us: int
) -> bool:
    """Set aside what the run may cost at worst, from every budget of its user and workspace; whether there is
    one.

    `worst_usd` None: some model's price is not known. Raises `Problem` 402 where a budget has less left, or
    where there is one and the price is not known; then nothing is set aside.
    """
    known = worst_usd is not None and worst_usd <= MOST_USD
    worst = pusd_up(worst_usd) if known and worst_usd is not None else 0
    applying = session.execute(_APPLYING, {"user_id": user_id, "workspaces": [workspace]})
    holding = list(_standings(session, applying.all(), at_us))
    lacking = [standing for standing, left in holding if not known or (worst and left < worst)]
    if lacking:
        raise _refused(lacking, worst_usd)
    day = _day(at_us).isoformat()
    reserved = {"user_id": user_id, "workspace": workspace, "reserved_pusd": worst, "spent_pusd": 0}
    session.execute(insert(_SPENDING), {"run_id": run_id, "day": day, **reserved})
    _take(session, user_id, workspace, day, worst)
    return bool(holding)


def settle(session: Session, run_id: str, cost_usd: float | None) -> None:
    """The run ended and cost so much; None: that is not known, and all that was set aside counts as spent.

    Done again, None changes nothing, and a cost that became known takes the place of what was assumed.
    """
    of_run = _SPENDING.c.run_id == run_id
    run = session.execute(select(_SPENDING).where(of_run)).one_or_none()
    if run is None:
        return
    assumed = run.spent_pusd + run.reserved_pusd
    spent = assumed if cost_usd is None else pusd_up(cost_usd)
    if (run.spent_pusd, run.reserved_pusd) != (spent, 0):
        session.execute(update(_SPENDING).where(of_run).values(spent_pusd=spent, reserved_pusd=0))
        _take(session, run.user_id, run.workspace, run.day, spent - assumed)


def left(session: Session, principal: Principal, at_us: int) -> list[Standing]:
    """The budgets that hold for a user: their own, and those of the workspaces they may read."""
    given = {"user_id": principal.user_id, "workspaces": principal.readable()}
    return [standing for standing, _ in _standings(session, session.execute(_APPLYING, given).all(), at_us)]


def listed(session: Session, at_us: int) -> list[Standing]:
    """All budgets."""
    return [standing for standing, _ in _standings(session, session.execute(_ALL).all(), at_us)]


def set_limit(session: Session, kind: Kind, subject: str, period: Period, limit: Decimal | None) -> None:
    """Let a user (`subject` is the id) or a workspace spend so many dollars a period; None: without a limit.

    Raises `DefinitionError` for what is no sum of money.
    """
    found = session.get(Budget, (kind, subject, period))
    if limit is None:
        if found is not None:
            session.delete(found)
        return
    if not limit.is_finite() or not 0 <= limit <= MOST_USD:
        raise DefinitionError(f"A budget of USD {limit} is not possible: give 0 to {MOST_USD:,}.")
    units = int((limit * PUSD).to_integral_value(ROUND_FLOOR))
    if found is None:
        session.add(Budget(kind=kind, subject=subject, period=period, limit_pusd=units))
    else:
        found.limit_pusd = units


def _standings(
    session: Session, budgets: Iterable[Row[str, str, str, int]], at_us: int
) -> Iterator[tuple[Standing, int]]:
    """Each budget, with what is left of it in millionths of a millionth."""
    day = _day(at_us)
    first = day.replace(day=1)
    spans = {
        "day": (day, day + timedelta(days=1)),
        "month": (first, (first + timedelta(days=31)).replace(day=1)),
    }
    for budget in budgets:
        begins, ends = spans[budget.period]
        taken = session.scalar(
            select(func.sum(DaySpending.taken_pusd)).where(
                DaySpending.kind == budget.kind,
                DaySpending.subject == budget.subject,
                DaySpending.day >= begins.isoformat(),
                DaySpending.day < ends.isoformat(),
            )
        )
        remains = budget.limit_pusd - int(taken or 0)
        yield (
            Standing(
                kind=budget.kind,
                subject=budget.subject,
                period=budget.period,
                limit_usd=budget.limit_pusd / PUSD,
                left_usd=max(0, remains) / PUSD,
                resets=f"{ends.isoformat()}T00:00:00Z",
            ),
            remains,
        )


def _take(session: Session, user_id: str, workspace: str, day: str, more_pusd: int) -> None:
    """Add to the sums of that day."""
    if not more_pusd:
        return
    for kind, subject in (("user", user_id), ("workspace", workspace)):
        of_day = {"kind": kind, "subject": subject, "day": day}
        there = [_DAYS.c[name] == value for name, value in of_day.items()]
        taken = session.scalar(select(_DAYS.c.taken_pusd).where(*there))
        if taken is not None:
            session.execute(update(_DAYS).where(*there).values(taken_pusd=taken + more_pusd))
        else:
            session.execute(insert(_DAYS), {**of_day, "taken_pusd": more_pusd})


def _refused(lacking: list[Standing], worst_usd: float | None) -> Problem:
    if worst_usd is None or not math.isfinite(worst_usd):
        told = ["The price of a chosen model is not known, and a budget holds: it may not be asked here."]
    else:
        told = [one.lacking(worst_usd) for one in lacking]
    return Problem(
        402,
        " ".join(told),
        errors=told,
        left_usd=min(one.left_usd for one in lacking),
        resets=max(one.resets for one in lacking),
    )


def _day(at_us: int) -> date:
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).date()
