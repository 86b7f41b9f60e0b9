"""The context blocks that a caller may put in front of a prompt, with the beginning of each.

It does not know how blocks are saved, nor which of them may be seen by whom: see `executions.blocks`.
"""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from labkit.server.accounts.credentials import Reader
from labkit.server.service import Served

router = APIRouter(tags=["blocks"])

BEGINNING = 200
"""Characters of a block's text that the list has."""


class Listed(BaseModel):
    """A saved block: by `name` the newest of that name is meant, by `hash` this one."""

    name: str
    hash: str
    length: int
    """Characters of its text."""
    beginning: str


@router.get("/blocks")
def blocks(served: Served, who: Reader, workspace_id: str | None = None) -> list[Listed]:
    """Saved blocks that may be used in the workspace (by default in any of one's own), the newest first."""
    readable = who.readable()
    if workspace_id is not None:
        who.check("read", workspace_id)
        readable = [workspace_id]
    served.blocks.refresh()
    return [
        Listed(
            name=block.name, hash=block.hash, length=len(block.text), beginning=block.text[:BEGINNING].strip()
        )
        for block in served.blocks.listed(readable)
    ]
