"""The page: its files as they stand in the package, and the grid's, which the notebook's widget draws by too.

They are open to everybody, as the log-in is one of them; what they show comes from the API. It does not
know what is in them.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import Annotated

from fastapi import APIRouter, Header, Response

from labkit.server.problems import Problem

router = APIRouter(include_in_schema=False)

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
FOLDERS = ("server/pages", "widgets/static")
SHARED = ("grid.js", "grid.css")
"""What the page takes from the widgets' folder."""


@cache
def files() -> dict[str, tuple[bytes, str]]:
    """Every file by its name: its bytes and its ETag."""
    package = resources.files("labkit")
    found = {}
    for folder in FOLDERS:
        for path in package.joinpath(folder).iterdir():
            own = folder == FOLDERS[0] and path.name.rpartition(".")[2] in TYPES
            if own or path.name in SHARED:
                body = path.read_bytes()
                found[path.name] = body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return found


@router.get("/")
def page(if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """The page."""
    return file("index.html", if_none_match)


@router.get("/page/{name}")
def file(name: str, if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """One of its files."""
    if name not in files():
        raise Problem(404, "The page has no such file. It is at /.")
    body, etag = files()[name]
    headers = {"ETag": etag, "Cache-Control": "no-cache"}  # kept, and asked about before it is used
    if etag in (if_none_match or ""):
        return Response(status_code=304, headers=headers)
    return Response(body, headers={**headers, "Content-Type": TYPES[name.rpartition(".")[2]]})
