"""The description of the service as OpenAPI, in which every error a route may answer is declared.

Most errors come from what stands around every route, and are added here by what a route takes; a route names
its own, as 402, in its `responses`, by their status alone. It does not know what a single route does.
"""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from labkit.server import shapes
from labkit.server.problems import MEDIA_TYPE

Described = dict[str, Any]

ANSWERS = {
    400: "The request cannot be read in one way only.",
    401: "Nobody is logged in by what was shown.",
    402: "A budget has not enough left; it says how much, and when it begins anew.",
    403: "Whoever asks may not, or asks from a page that may not.",
    404: "It is not there, or not for whoever asks.",
    406: "None of the accepted forms is one of the service's.",
    409: "It does not go with what is there already.",
    413: "The body is too large.",
    414: "The address is too long.",
    415: "The body is compressed, or not JSON.",
    421: "The service does not answer under that name.",
    422: "It can be read, and something in it is wrong; each fault is named.",
    429: "Too many tries; Retry-After says when to come again.",
    500: "A fault of the service.",
    502: "The model gave no answer.",
    503: "The lab, the database or the service cannot be used now; Retry-After says when to come again.",
}
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

EVENTS: Described = {
    "text/event-stream": {
        "itemSchema": {
            "type": "object",
            "required": ["event", "data"],
            "properties": {
                "id": {"type": "string"},
                "event": {"type": "string"},
                "data": {
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": {"$ref": "#/components/schemas/StreamEvent"},
                },
            },
        }
    }
}
"""The content of a stream. `itemSchema`, the form of each event, is a word of OpenAPI 3.2. It is written into
3.1, as FastAPI does: readers that do not know it pass over it, and many read no 3.2."""


def complete(found: Described) -> Described:
    """What FastAPI `found`, with every error of every route."""
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = PROBLEM
    event = TypeAdapter(shapes.StreamEvent).json_schema(ref_template="#/components/schemas/{model}")
    for name, told in {**event.pop("$defs"), "StreamEvent": event}.items():
        schemas.setdefault(name, told)
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
        "description": ANSWERS[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
