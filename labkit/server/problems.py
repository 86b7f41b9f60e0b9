"""Errors as `application/problem+json` (RFC 9457), with `detail` always one text that says what to do.

Clients of the older workbench read `detail` and nothing else. It does not know what may go wrong where.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError, TimeoutError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from labkit.errors import DefinitionError, StoreError
from labkit.visible import visible

log = logging.getLogger("labkit.server")

MEDIA_TYPE = "application/problem+json"
RETRY_S = 5


class Problem(Exception):
    """An answer that says what is wrong. `detail` is a sentence or more; `errors` lists faults one by one."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.more = more

    def response(self) -> JSONResponse:
        """It as what is sent."""
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            # What came in may hold half a character, which no JSON can.
            "detail": self.detail.encode(errors="backslashreplace").decode(),
            **self.more,
        }
        if self.errors:
            body["errors"] = [one.encode(errors="backslashreplace").decode() for one in self.errors]
        return JSONResponse(body, self.status, headers=self.headers, media_type=MEDIA_TYPE)


def unavailable(detail: str, *, retry_s: int = RETRY_S) -> Problem:
    """503, with when to come again."""
    return Problem(503, detail, headers={"Retry-After": str(retry_s)})


def install(app: FastAPI) -> None:
    """Have every error of the app answered in this form."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(DefinitionError, _definition)
    app.add_exception_handler(StoreError, _store)
    app.add_exception_handler(OperationalError, _state)
    app.add_exception_handler(TimeoutError, _state)
    app.add_exception_handler(Exception, _fault)


async def _problem(request: Request, error: Any) -> JSONResponse:
    answer: JSONResponse = error.response()
    return answer


async def _invalid(request: Request, error: Any) -> JSONResponse:
    told = [_told(one) for one in error.errors()]
    return Problem(422, " ".join(told), errors=told).response()


# What pydantic finds, by its name for it, in words that need no Python; its own words where none stand here.
_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "string_type": "has to be a text",
    "string_too_short": "needs {min_length} or more characters",
    "string_too_long": "may have at most {max_length} characters",
    "string_pattern_mismatch": "has to match {pattern}",
    "list_type": "has to be a list",
    "too_short": "needs {min_length} or more",
    "too_long": "may have at most {max_length}, not {actual_length}",
    "dict_type": "has to be an object",
    "model_type": "has to be an object",
    "model_attributes_type": "has to be an object",
    "int_type": "has to be a whole number",
    "int_parsing": "has to be a whole number",
    "int_parsing_size": "is too large a number",
    "int_from_float": "has to be a whole number",
    "float_type": "has to be a number",
    "float_parsing": "has to be a number",
    "finite_number": "has to be a number",
    "bool_type": "has to be true or false",
    "bool_parsing": "has to be true or false",
    "greater_than": "has to be more than {gt}",
    "greater_than_equal": "has to be {ge} or more",
    "less_than": "has to be less than {lt}",
    "less_than_equal": "has to be {le} or less",
    "literal_error": "has to be {expected}",
    "enum": "has to be {expected}",
    "datetime_type": "has to be a time as 2026-11-28T12:00:00Z",
    "datetime_parsing": "has to be a time as 2026-11-28T12:00:00Z",
    "datetime_from_date_parsing": "has to be a time as 2026-11-28T12:00:00Z",
    "value_error": "{error}",
}


def _told(fault: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in fault["loc"][1:]) or "The body"
    words = _WORDS.get(fault["type"])
    what = fault["msg"] if words is None else words.format_map(fault.get("ctx", {}))
    return f"{visible(where, limit=80)}: {what.rstrip('.')}."


async def _http(request: Request, error: Any) -> JSONResponse:
    allowed = ", ".join(_methods(request)) if error.status_code == 405 else ""
    words = {
        404: "There is nothing at this address. The page is at /; /api/v1/openapi.json lists the rest.",
        405: f"{request.method} is not possible at this address. It takes {allowed}.",
    }
    told = words.get(error.status_code, f"{str(error.detail).rstrip('.')}.")
    headers = {"Allow": allowed} if error.status_code == 405 else error.headers
    return Problem(error.status_code, told, headers=headers).response()


def _methods(request: Request) -> list[str]:
    # The router names those of one route; an address may have several. HEAD is answered where GET is.
    routes = request.app.router.routes
    found = [
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]
    return [*found, "HEAD"] if "GET" in found else found


async def _definition(request: Request, error: Any) -> JSONResponse:
    return Problem(422, " ".join(error.faults), errors=error.faults).response()


async def _store(request: Request, error: Any) -> JSONResponse:
    log.warning("%s", error)
    return unavailable(str(error)).response()


async def _state(request: Request, error: Any) -> JSONResponse:
    log.warning("The service's database cannot be used: %s", error.__class__.__name__)
    return unavailable("The service's database cannot be used now. Try again.").response()


async def _fault(request: Request, error: Any) -> JSONResponse:
    # The server prints the traceback by itself; whoever asked is told nothing of what is inside.
    return Problem(500, "Something went wrong in the service. Its log says what; try again.").response()
