"""Who asks: one value whatever it was shown (a cookie, a JWT or a token), and what that may do where.

Routes name what they need by `Asks`: without a credential that has it, nothing of them runs. It does not
know how credentials are made: see `sessions`, `access_tokens` and `tokens`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from labkit.server.problems import Problem

Scope = Literal["read", "execute", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "execute", "admin")
ROLES = ("viewer", "member", "admin")
_NEEDS = {"read": "viewer", "execute": "member", "admin": "admin"}


class Access(NamedTuple):
    """The credential by which somebody reads in a workspace: an open stream goes on while it holds there."""

    credential: str
    workspace: str


@dataclass(frozen=True, kw_only=True)
class Principal:
    """A user as far as a credential reaches.

    `workspaces` maps the names of those it may see to the user's role there.
    """

    user_id: str
    name: str
    email: str | None
    scopes: frozenset[str]
    workspaces: Mapping[str, str]
    how: Literal["cookie", "bearer", "token"]
    credential: str
    """The id of the session or token."""

    def may(self, scope: Scope, workspace: str) -> bool:
        """Whether it may do that there."""
        role = self.workspaces.get(workspace)
        return role is not None and scope in self.scopes and ROLES.index(role) >= ROLES.index(_NEEDS[scope])

    def readable(self) -> list[str]:
        """The workspaces it may read, by name."""
        return sorted(name for name in self.workspaces if self.may("read", name))

    def access(self, workspace: str) -> Access:
        """What an open stream of that workspace hangs on."""
        return Access(self.credential, workspace)

    def check(self, scope: Scope, workspace: str) -> None:
        """Raise 404 for a workspace it does not see, whether or not there is one, and 403 for one in which it
        may not do that."""
        if workspace not in self.workspaces:
            raise no_workspace(workspace)
        if not self.may(scope, workspace):
            raise Problem(403, f"You may read in workspace {workspace!r}, but not {_DOING[scope]} there.")


_DOING = {"read": "read", "execute": "execute", "admin": "administer"}


def no_workspace(name: str) -> Problem:
    """404, the same for one that is not there and one that is somebody else's."""
    return Problem(404, f"There is no workspace {name[:80]!r} that you are a member of.")


def not_logged_in(detail: str = "Log in first, or send a token: Authorization: Bearer …") -> Problem:
    """401."""
    return Problem(401, detail, headers={"WWW-Authenticate": "Bearer"})
