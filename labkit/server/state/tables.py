"""The tables of the service's own state, as SQLAlchemy models.

Moments are whole microseconds since 1970 in UTC, in columns that end in `_us`: exact and alike in SQLite and
PostgreSQL. Sums of money are whole millionths of a millionth of a dollar (`_pusd`), so that adding them up
loses nothing. Secrets stand here as hashes alone. It does not know how rows come to be.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_JSON = JSON(none_as_null=True)


class Base(DeclarativeBase):
    """All tables of the service."""

    type_annotation_map = {str: Text, int: BigInteger, dict[str, Any]: _JSON, list[Any]: _JSON}  # noqa: RUF012 - read by SQLAlchemy


# -- who may ask -------------------------------------------------------------------------------------


class User(Base):
    """An account. `password_hash` None: it logs in elsewhere (`issuer`, `subject`), or not at all."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    """The log-in name, which never changes: answers are kept under it."""
    email: Mapped[str | None]
    password_hash: Mapped[str | None]
    issuer: Mapped[str | None]
    subject: Mapped[str | None]
    created_us: Mapped[int]
    disabled_us: Mapped[int | None]

    __table_args__ = (UniqueConstraint("issuer", "subject"),)


class Session(Base):
    """A log-in, by cookie or by bearer; deleted when it ends."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(primary_key=True)
    """What the JWT's `sid` says; of a cookie the SHA-256 of its secret is in `secret_hash`."""
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    secret_hash: Mapped[str | None] = mapped_column(unique=True)
    created_us: Mapped[int]
    seen_us: Mapped[int]
    ends_us: Mapped[int]
    log_out_address: Mapped[str | None]
    """Where a browser goes to end its log-in at the identity provider too."""


class OidcLogIn(Base):
    """A log-in that a browser began at the identity provider; deleted when it comes back."""

    __tablename__ = "oidc_log_ins"

    state_hash: Mapped[str] = mapped_column(primary_key=True)
    browser_hash: Mapped[str] = mapped_column(index=True)
    nonce: Mapped[str]
    verifier: Mapped[str]
    address: Mapped[str] = mapped_column(index=True)
    """Where it was begun from."""
    ends_us: Mapped[int]


class Token(Base):
    """A script's secret. `scopes` are of `read`, `execute`, `admin`; `workspaces` None: all its user's."""

    __tablename__ = "tokens"

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str]
    secret_hash: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[Any]]
    workspaces: Mapped[list[Any] | None]
    created_us: Mapped[int]
    ends_us: Mapped[int]
    revoked_us: Mapped[int | None]


class Workspace(Base):
    """A workspace that the service shows to its members. One that only the lab knows is shown to nobody."""

    __tablename__ = "workspaces"

    name: Mapped[str] = mapped_column(primary_key=True)
    created_us: Mapped[int]


class Member(Base):
    """A user's role in a workspace: `viewer`, `member` or `admin`."""

    __tablename__ = "members"

    workspace: Mapped[str] = mapped_column(ForeignKey("workspaces.name"), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    role: Mapped[str]


class Throttle(Base):
    """Failed log-ins of one name or address, and until when no more are looked at."""

    __tablename__ = "throttle"

    key: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    last_us: Mapped[int] = mapped_column(index=True)
    until_us: Mapped[int]


class Audit(Base):
    """What somebody did that others may want to know later: log-ins, tokens, roles, executions."""

    __tablename__ = "audit"

    number: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    at_us: Mapped[int] = mapped_column(index=True)
    user: Mapped[str | None]
    what: Mapped[str]
    detail: Mapped[dict[str, Any] | None]


# -- what is asked -----------------------------------------------------------------------------------


class ServedRun(Base):
    """A run that this service admitted: who asked, and whether it is to stop. While it goes, one process
    holds its lock in the lab (`Store.drive`): an open run that nobody drives was broken off."""

    __tablename__ = "served_runs"

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    workspace: Mapped[str]
    created_us: Mapped[int]
    ended_us: Mapped[int | None]
    kept_since_us: Mapped[int | None] = mapped_column(index=True)
    """When it ended, as long as its events are kept; None: it goes, or they were deleted."""
    stop_asked_us: Mapped[int | None]
    stop_models: Mapped[list[Any] | None]
    """The ids of models that alone are to stop."""
    events: Mapped[int]
    """So many events of it were numbered."""
    asked: Mapped[dict[str, Any] | None]
    """What it takes to write down in the lab that it was broken off; None: it is over."""

    __table_args__ = (Index("served_runs_open", "ended_us"),)


class Event(Base):
    """One event of a run's stream, under its number."""

    __tablename__ = "events"

    run_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    data: Mapped[str]
    """JSON in ASCII, as it is sent."""


class IdempotencyKey(Base):
    """A key that a request came with, what it asked, and the run that answers it."""

    __tablename__ = "idempotency_keys"

    user_id: Mapped[str] = mapped_column(primary_key=True)
    route: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    body_hash: Mapped[str]
    run_id: Mapped[str]
    created_us: Mapped[int] = mapped_column(index=True)


class Budget(Base):
    """The most that a user or a workspace may spend in a `period` (`day` or `month`, of UTC)."""

    __tablename__ = "budgets"

    kind: Mapped[str] = mapped_column(primary_key=True)
    """`user` or `workspace`."""
    subject: Mapped[str] = mapped_column(primary_key=True)
    """The user's id, or the workspace's name."""
    period: Mapped[str] = mapped_column(primary_key=True)
    limit_pusd: Mapped[int]


class Spending(Base):
    """What one run may cost (`reserved`, while it goes) or did cost (`spent`), on the day it was admitted."""

    __tablename__ = "spending"

    run_id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str]
    workspace: Mapped[str]
    day: Mapped[str]
    """Of UTC, as `2026-11-28`."""
    reserved_pusd: Mapped[int]
    spent_pusd: Mapped[int]


class DaySpending(Base):
    """What is reserved and spent together, by all runs of a user or in a workspace, that were admitted on a
    day: the sum of their `Spending`, written with it."""

    __tablename__ = "day_spending"

    kind: Mapped[str] = mapped_column(primary_key=True)
    """`user` or `workspace`."""
    subject: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[str] = mapped_column(primary_key=True)
    taken_pusd: Mapped[int]


# -- what was answered -------------------------------------------------------------------------------


class Execution(Base):
    """One line of the history: a generation of the lab, of this service or of a notebook.

    `text` and `prompt` are the beginnings of the answer and of what was asked; the lab has all of them.
    """

    __tablename__ = "executions"

    id: Mapped[str] = mapped_column(primary_key=True)
    """The generation_id."""
    run_id: Mapped[str] = mapped_column(index=True)
    position: Mapped[int]
    """Among those asked for together."""
    workspace: Mapped[str]
    user: Mapped[str | None]
    model: Mapped[str]
    """The model's id in the lab."""
    asked: Mapped[str]
    """The model's id or alias as it was asked for."""
    blocks: Mapped[list[Any]]
    status: Mapped[str]
    created_us: Mapped[int]
    completed_us: Mapped[int | None]
    duration_us: Mapped[int | None]
    latency_us: Mapped[int | None]
    input_tokens: Mapped[int | None]
    output_tokens: Mapped[int | None]
    cost_pusd: Mapped[int | None]
    prompt: Mapped[str]
    text: Mapped[str | None]
    error: Mapped[str | None]
    more: Mapped[dict[str, Any]]
    """What stands in the answer's `metadata`."""

    __table_args__ = (
        Index("executions_newest", "workspace", "created_us", "id"),
        Index("executions_model", "workspace", "model", "created_us", "id"),
    )


class Meta(Base):
    """Single values: how far the lab was read into the index, and who reads it."""

    __tablename__ = "meta"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[dict[str, Any]]
