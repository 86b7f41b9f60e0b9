"""A service over a lab that nobody asked yet, with an admin, a member, a viewer, and one of elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from labkit.server.accounts import accounts, passwords
from labkit.server.app import make_app
from labkit.server.service import Service
from labkit.server.settings import Settings
from labkit.server.state import State
from tests.server.running import log_in

PASSWORD = "correct horse"
KEPT = passwords.hashed(PASSWORD)
PEOPLE = {"root": ("default", "admin"), "ada": ("default", "member"), "vic": ("default", "viewer")}


@pytest.fixture
def service(state: State, tmp_path: Path) -> Iterator[Service]:
    """`root`, `ada` and `vic` are in `default`, `otto` is an admin of `other`; in each of both databases."""
    made = Service(Settings(lab=tmp_path / "lab.duckdb", state=str(state.address)))
    with made.state.writing() as rows:
        for name, (workspace, role) in PEOPLE.items():
            accounts.add_user(rows, name, KEPT, workspace=workspace, role=role)
        accounts.add_workspace(rows, "other")
        accounts.add_user(rows, "otto", KEPT, workspace="other", role="admin")
    yield made
    made.close()


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    """Asks the service as a program without a credential does."""
    here = ("127.0.0.1", 50_000)
    with TestClient(make_app(service), base_url="http://127.0.0.1:8000", client=here) as asking:
        yield asking


@pytest.fixture
def bearer(service: Service) -> Callable[[str], dict[str, str]]:
    """The header of somebody who logged in, of a log-in of its own each time."""

    return lambda name: {"Authorization": log_in(service, name)}
