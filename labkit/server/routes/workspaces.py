"""The addresses of workspaces: one's own, and for their admins who is what in them.

Workspaces and users are made on the service's machine: see `accounts`, which this does not repeat.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from labkit.server.accounts import accounts
from labkit.server.accounts.credentials import Admin, Reader
from labkit.server.problems import Problem
from labkit.server.routes.auth import Own
from labkit.server.service import Served

router = APIRouter(prefix="/workspaces", tags=["workspaces"])


class Role(BaseModel):
    """What somebody is in a workspace."""

    model_config = ConfigDict(extra="forbid")
    role: Literal["viewer", "member", "admin"]


class Person(BaseModel):
    """A member, by log-in name."""

    name: str
    role: str


@router.get("")
def list_workspaces(who: Reader) -> list[Own]:
    """Those one is a member of, by name."""
    return [Own(name=name, role=who.workspaces[name]) for name in sorted(who.workspaces)]


@router.get("/{name}/members")
def list_members(name: str, who: Admin, served: Served) -> list[Person]:
    """Who is what there. For its admins."""
    who.check("admin", name)
    with _told(), served.state.reading() as rows:
        return [Person(name=one, role=role) for one, role in accounts.members(rows, name)]


@router.put("/{name}/members/{user}", status_code=204, responses={409: {}})
def set_member(name: str, user: str, role: Role, who: Admin, served: Served) -> None:
    """Make a user a member there, or something else. For its admins, of whom one must be left."""
    who.check("admin", name)
    with _told(), served.state.writing() as rows:
        accounts.set_role(rows, name, user, role.role, by=who.name)
        accounts.check_has_admin(rows, name)


@router.delete("/{name}/members/{user}", status_code=204, responses={409: {}})
def remove_member(name: str, user: str, who: Admin, served: Served) -> None:
    """Take a user out of it. For its admins, of whom one must be left."""
    who.check("admin", name)
    with _told(), served.state.writing() as rows:
        accounts.remove(rows, name, user, by=who.name)
        accounts.check_has_admin(rows, name)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except accounts.Unknown as error:
        raise Problem(404, str(error)) from None
    except accounts.LastAdmin as error:
        raise Problem(409, str(error)) from None
