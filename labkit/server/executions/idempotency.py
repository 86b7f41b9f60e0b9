"""A request that is sent twice under one `Idempotency-Key` runs once (draft-ietf-httpapi-idempotency-key-07).

A key belongs to one user and one route. `claim` and `keep` belong into the `state.writing()` block that
admits the run, so that of many equal requests at once, on any worker, one is admitted and the others are
given its run. Where the process is killed after that block and before it asked anybody, the run's recovery
ends it as `failed`, and the key goes on answering with that run: whoever wants to ask anew takes a new key.
Old keys go by `forget`. It does not know what a run is, nor how it is joined.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from labkit.identity import canonical_json
from labkit.server.problems import Problem
from labkit.server.state.tables import IdempotencyKey

_KEY = re.compile(r"[\x20-\x7e]{1,255}")


def check(key: str) -> None:
    """Raise `Problem` 400 for what is no key."""
    if not _KEY.fullmatch(key):
        raise Problem(400, "Idempotency-Key must have 1 to 255 printable ASCII characters.")


def claim(session: Session, user_id: str, route: str, key: str, body: Any) -> str | None:
    """The run that answers this key, or None: then it is this request's, which says so by `keep`.

    `body` is the request's body as parsed JSON. Raises `Problem` 400 for what is no key, and 422 for one
    under which something else was asked.
    """
    check(key)
    found = session.execute(
        select(IdempotencyKey.body_hash, IdempotencyKey.run_id).where(
            IdempotencyKey.user_id == user_id, IdempotencyKey.route == route, IdempotencyKey.key == key
        )
    ).one_or_none()
    if found is None:
        return None
    if found.body_hash != _hash(body):
        raise Problem(
            422, "This Idempotency-Key was sent with another body before. Take a new key for a new request."
        )
    return str(found.run_id)


def keep(session: Session, user_id: str, route: str, key: str, body: Any, run_id: str, at_us: int) -> None:
    """From now on `run_id` answers this key."""
    session.add(
        IdempotencyKey(
            user_id=user_id, route=route, key=key, body_hash=_hash(body), run_id=run_id, created_us=at_us
        )
    )
    session.flush()


def forget(session: Session, before_us: int) -> None:
    """Delete the keys that were first used before that moment."""
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_us < before_us))


def _hash(body: Any) -> str:
    return hashlib.sha256(canonical_json(body)).hexdigest()
