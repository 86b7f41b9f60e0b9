"""labkit.server.openapi: what the service says of itself is what stands in the reference, and what it does.

`python -m tests.server.test_openapi` writes the reference's file anew.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from labkit.catalog.model import Model
from labkit.errors import ProviderError
from labkit.prompts import Block, Prompt
from labkit.providers.script import Script
from labkit.server.accounts import tokens
from labkit.server.app import make_app
from labkit.server.service import Service
from labkit.server.settings import Settings
from labkit.server.state.tables import ServedRun, User
from tests.server.running import Running, running

COMMITTED = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)


def described(folder: Path) -> dict[str, Any]:
    """What the service says of itself."""
    service = Service(Settings(lab=folder / "lab.duckdb"))
    try:
        return make_app(service).openapi()
    finally:
        service.close()


def written(found: dict[str, Any]) -> str:
    """It as the reference has it."""
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def test_the_reference_is_what_the_service_says(tmp_path: Path) -> None:
    """docs/reference/openapi.json is the description of this version."""
    assert COMMITTED.read_text("utf-8") == written(described(tmp_path)), (
        "The service's description changed. Look whether clients can live with it, and write it anew: "
        "python -m tests.server.test_openapi"
    )


def is_log_in(path: str) -> bool:
    """Whether it is looked at there who somebody is."""
    return "/auth/login" in path or path.endswith("/oidc/callback")


def test_every_error_is_declared_as_a_problem(tmp_path: Path) -> None:
    """Each route declares its errors, all of them in the one form, and 401 where it asks who is there."""
    found = described(tmp_path)
    for path, operations in found["paths"].items():
        for operation in operations.values():
            errors = {status: told for status, told in operation["responses"].items() if status[0] in "45"}
            assert set(errors) >= {"400", "406", "413", "414", "415", "421", "500", "503"}, path
            assert ("401" in errors) == ("security" in operation or is_log_in(path))
            assert all(
                told == {"$ref": f"#/components/responses/Problem{status}"} for status, told in errors.items()
            )
    for told in found["components"]["responses"].values():
        assert list(told["content"]) == ["application/problem+json"]
    assert "HTTPValidationError" not in json.dumps(found)


# How long an example takes is no property: several tests share the machine. A route that only ever answers
# that something is not there, or not allowed, was not tried. That a model gave no answer is 502 at one route,
# whose clients take all but 2xx for a failure, and there alone no fault of the service.
CONFIGURATION = """
headers = {{ Authorization = "Bearer {token}" }}
suppress-health-check = ["too_slow"]
warnings = {{ fail-on = ["missing_auth", "missing_test_data"] }}

[[operations]]
include-name = "POST /api/v1/workbench/execute"
checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "502"]

[[operations]]
include-path-regex = "/(tokens|members)"
headers = {{ Authorization = "{admin}" }}

[[operations]]
include-name = "POST /api/v1/auth/logout"
headers = {{ Authorization = "{leaving}" }}

[[operations]]
include-path-regex = "/auth/oidc"  # off here
warnings = false
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Running, str]]:
    """A running service in which something was asked, and a configuration that knows its names."""
    monkeypatch.setenv("LABKIT_WEIGHTS", str(tmp_path / "none"))  # links lead to every model of the catalog
    clients = {
        "one": Script(lambda request: "Hi"),
        "two": Script(lambda request: "Hi"),
        "broken": Script(lambda request: ProviderError("It is broken.")),
    }
    models = [Model(f"scripted/{name}", client=client) for name, client in clients.items()]
    with running(tmp_path, models) as there:
        there.service.lab.prompts.save(Prompt("toned", "Hi", blocks=[Block("tone", "Be kind.")]))
        (answer,) = there.execute("Hi", "scripted/one")
        with there.service.state.writing() as rows:
            run = rows.scalars(select(ServedRun)).one()
            users = {user.name: user for user in rows.scalars(select(User))}
            scopes = ["read", "execute"]
            _, token = tokens.add(rows, users["ada"], name="fuzz", scopes=scopes)
            token_id = tokens.add(rows, users["root"], name="revoked", scopes=scopes)[0].id
        workspaces = ["default", "other"]
        known = {
            ("body.model_ids[*]", "body.model_id", "query.model_id"): [model.id for model in models],
            # Where a path should be wrong it is drawn without a slash only.
            ("path.model_id",): [name for model in models for name in (model.id, model.name)],
            ("body.workspace_id", "query.workspace_id", "path.name"): workspaces,
            ("path.user",): ["vic", "otto"],
            ("body.context_blocks[*]",): ["tone"],
            ("path.execution_id",): [answer["id"]],
            ("path.run",): [run.id],
            ("path.token_id",): [token_id],
            ("header.accept",): ["text/event-stream", "application/json"],
            ("header.prefer",): ["respond-async"],
        }
        admin, leaving = (there.bearer(name)["Authorization"] for name in ("root", "vic"))
        lines = [CONFIGURATION.format(token=token, admin=admin, leaving=leaving)]
        for number, (places, values) in enumerate(known.items()):
            lines += [f"[dictionaries.known{number}]", f"values = {json.dumps(values)}"]
            for place in places:
                lines += [f'[parameters."{place}"]', f'dictionary = "known{number}"', "probability = 0.6"]
        (tmp_path / "schemathesis.toml").write_text("\n".join(lines), "utf-8")
        yield there, str(tmp_path)


def fuzzed(there: Running, folder: str, examples: int) -> int:
    """How many cases were tried, `examples` for each route at most. Fails where one finds a fault."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run"),
            f"{there.url}/api/v1/openapi.json",
            *("--checks", ",".join(CHECKS)),
            *("--max-examples", str(examples)),
            *("--seed", "12"),
            *("--generation-database", "none"),  # it would spend its time on making smaller what it keeps
            "--continue-on-failure",
            "--no-color",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    counted = re.search(r"(\d+) generated", done.stdout)
    assert counted is not None, done.stdout
    return int(counted[1])


def test_a_thousand_requests_find_no_fault(asked: tuple[Running, str]) -> None:
    """Requests made from the description, good and bad, get declared answers only, and no 5xx."""
    assert fuzzed(*asked, examples=19) >= 1000


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_twenty_thousand_requests_find_no_fault(asked: tuple[Running, str]) -> None:
    """The same, for longer."""
    assert fuzzed(*asked, examples=850) >= 20_000


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        COMMITTED.write_text(written(described(Path(folder))), "utf-8")
