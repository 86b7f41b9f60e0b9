"""Which form of answer a request takes, by its `Accept`.

The API has JSON and streams of events. It does not know which route has which.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import Scope

from labkit.server.problems import Problem

FORMS = ("application/json", "text/event-stream")


def takes(accept: str | None, form: str) -> bool:
    """Whether a request with that `Accept` takes `form`, by its name or by a star.

    >>> takes("text/html, */*;q=0.8", "application/json"), takes("text/html", "application/json")
    (True, False)
    """
    if not accept or not accept.strip():
        return True
    stars = (form, f"{form.partition('/')[0]}/*", "*/*")
    return any(name in stars and weight > 0 for name, weight in map(_range, accept.split(",")))


def names(accept: str | None, form: str) -> bool:
    """Whether that `Accept` asks for `form` by its name: a star is no wish."""
    return any(name == form and weight > 0 for name, weight in map(_range, (accept or "").split(",")))


def acceptable(scope: Scope) -> None:
    """Let requests to the API pass that take one of its forms. Raises 406."""
    accept = ", ".join(Headers(scope=scope).getlist("accept"))
    if scope["path"].startswith("/api/") and not any(takes(accept, form) for form in FORMS):
        raise Problem(406, f"Answers are {' or '.join(FORMS)}. Name one of them in Accept, or leave it out.")


def _range(part: str) -> tuple[str, float]:
    name, *settings = (piece.strip() for piece in part.lower().split(";"))
    weight = next((one[2:] for one in settings if one.startswith("q=")), "1")
    try:
        return name, float(weight)
    except ValueError:
        return name, 1.0
