"""The index of a service that ended, deleted and made anew from its lab."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select

import labkit as lk
from labkit.server.executions.index import Index
from labkit.server.state import State
from labkit.server.state.tables import Execution, Meta
from tests.server.processes.serve_process import ServeProcess


def rebuilt(service: ServeProcess) -> None:
    """Delete the index, have it made from the lab, and compare."""
    state = State(service.state)
    store = lk.Lab(service.lab).store
    index = Index(state, store)
    index.catch_up()
    before = rows(state)
    with state.writing() as session:
        session.execute(delete(Execution))
        session.execute(delete(Meta))
    index.catch_up()
    after = rows(state)
    state.close()
    store.close()
    assert after == before


def rows(state: State) -> dict[str, dict[str, Any]]:
    """The index, by id."""
    columns = Execution.__table__.columns.keys()
    with state.reading() as session:
        return {
            one.id: {name: getattr(one, name) for name in columns}
            for one in session.scalars(select(Execution))
        }
