"""The description of the service as OpenAPI, in which every error a route may answer is declared.

Most come from what stands around every route, and are added here by what a route takes; a route names its
own, as 402, in its `responses`, by their status alone. It does not know what a single route does.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from labkit.server.problems import MEDIA_TYPE

Described = dict[str, Any]

EVERYWHERE = (400, 406, 413, 414, 415, 421, 500, 503)
"""By the guard, and where the lab, the database or the process cannot answer."""
OF_USERS = (401, 403, 404)
"""Who asks is not known, may not, or names what it does not see."""
FROM_ELSEWHERE = (403,)
"""A page of another origin wants to change something."""
WRONG_VALUES = (422,)

PROBLEM: Described = {
    "title": "Problem",
    "description": "What is wrong (RFC 9457). `detail` says it in words, `errors` one by one.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "string"}},
    },
}


def complete(found: Described) -> Described:
    """What FastAPI `found`, with every error of every route."""
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = PROBLEM
    answers: Described = {}
    for operations in found["paths"].values():
        for method, operation in operations.items():
            told = operation["responses"]
            own = {int(status) for status in told if status.isdecimal() and int(status) >= 400}
            for status in sorted(own | _statuses(method, operation)):
                answers[f"Problem{status}"] = _answer(status)
                told[str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
    found["components"]["responses"] = dict(sorted(answers.items()))
    return found


def _statuses(method: str, operation: Described) -> set[int]:
    found = set(EVERYWHERE)
    if operation.get("security"):
        found |= {*OF_USERS}
    if method not in ("get", "head"):
        found |= {*FROM_ELSEWHERE}
    if operation.get("parameters") or "requestBody" in operation:
        found |= {*WRONG_VALUES}
    return found


def _answer(status: int) -> Described:
    return {
        "description": HTTPStatus(status).name.replace("_", " ").capitalize(),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
