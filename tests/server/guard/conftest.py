"""An application behind the guard that all of its tests ask: none of them leaves anything in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.server.guard.guarded_app import client


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Asks it."""
    with client(tmp_path_factory.mktemp("guard")) as asking:
        yield asking
