"""Passwords: what is kept, what one may be, and how many are computed at once."""

from __future__ import annotations

import threading
import timeit
from typing import Any

import anyio
import pytest

from labkit.errors import DefinitionError
from labkit.server.accounts import passwords
from labkit.server.problems import Problem


def test_a_password_matches_what_was_kept_of_it() -> None:
    """What is kept is argon2id with 64 MiB, holds no password, and matches that one alone."""
    kept = passwords.hashed("größe und schönheit")
    assert kept.startswith("$argon2id$v=19$m=65536,")
    assert passwords.matches(kept, "größe und schönheit")
    assert not passwords.matches(kept, "größe und schönheit ")
    assert passwords.hashed("größe und schönheit") != kept


def test_nobodys_password_matches_nothing() -> None:
    """Where there is no password, or one of another kind, nothing matches."""
    assert not passwords.matches(None, "nobody has this password")
    assert not passwords.matches("not a hash", "password")


@pytest.mark.parametrize("bad", ["", "1234567", "x" * 1025, "longenough\0"])
def test_what_is_no_password(bad: str) -> None:
    """Too short, too long, or with a NUL: refused, and the text does not repeat it."""
    with pytest.raises(DefinitionError) as refused:
        passwords.hashed(bad)
    assert "longenough" not in str(refused.value)


@pytest.mark.parametrize("good", ["12345678", "x" * 1024, "🐎🔋📎🐎🔋📎🐎🔋", "        "])
def test_what_is_one(good: str) -> None:
    """8 to 1,024 characters of any kind."""
    assert passwords.check(good) == good


def test_two_at_once_and_the_rest_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two are computed at once; one more waits, and is told 503 with Retry-After where nobody ends in time;
    when they have ended, the next goes at once."""
    monkeypatch.setattr(passwords, "WAIT_S", 0.05)
    going, most, running, lock = threading.Event(), 0, 0, threading.Lock()

    def work() -> str:
        nonlocal most, running
        with lock:
            running += 1
            most = max(most, running)
        assert going.wait(30)
        with lock:
            running -= 1
        return "done"

    async def many() -> tuple[list[Any], str]:
        turns, said = passwords.Turns(), list[Any]()

        async def one() -> None:
            try:
                said.append(await turns.run(work))
            except Problem as error:
                said.append((error.status, error.headers["Retry-After"]))
                if len(said) == 3:
                    with anyio.move_on_after(30):
                        while running < passwords.AT_ONCE:  # a thread may begin late
                            await anyio.sleep(0.001)
                    going.set()

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(one)
        return said, await turns.run(work)

    said, after = anyio.run(many)
    assert sorted(map(str, said)) == ["(503, '5')"] * 3 + ["done"] * 2
    assert most == passwords.AT_ONCE
    assert after == "done"


@pytest.mark.alone
def test_an_unknown_name_takes_as_long() -> None:
    """Looking at nobody's password takes between half and twice as long as at somebody's."""
    kept = passwords.hashed("correct horse")
    somebodys, nobodys = (
        min(timeit.repeat(lambda of=of: passwords.matches(of, "wrong horse"), number=1, repeat=7))
        for of in (kept, None)
    )
    assert 0.5 < nobodys / somebodys < 2
