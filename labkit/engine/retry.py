"""Whether a failed call is asked again, and after how long. The only place that decides it.

Pure: an error and what happened before in, a decision out. It sleeps nowhere and sends nothing.

Backoff is exponential with full jitter (Brooker, "Exponential Backoff And Jitter", AWS, 2015).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from types import MappingProxyType

from labkit.arguments import check, mapping, number, switch, whole
from labkit.errors import (
    AuthenticationFailed,
    CertificateRefused,
    ConnectionFailed,
    ConnectionLost,
    ProviderError,
    QuotaExceeded,
)

_YEAR_S = 366 * 86400.0
_ATTEMPTS = {"RateLimited": 16, "Overloaded": 16, "TimedOut": 2, "ConnectionLost": 2, "MalformedAnswer": 2}
_BY_CHANCE = 2


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How patient a run is. Times are in seconds.

    A request that could not be connected costs nothing and is asked again until `deadline_s`, as is one that
    went out on a kept connection just as the server closed that; refusals
    that will not change (400, 401, 403, 404, quota …) are never asked again.

    Given to `plan.run(policy=lk.Policy(fail_fast=True))`.

    >>> Policy(attempts={"TimedOut": 1}).attempts["TimedOut"]
    1
    """

    timeout_s: float = 600.0
    """Silence that ends an attempt: so long without a byte."""
    deadline_s: float = 1800.0
    """From the first sending of a generation to its end, all attempts and waits included."""
    attempts: Mapping[str, int] = field(default_factory=dict)
    """Most attempts by class of error; classes left out keep their defaults."""
    retry_after_cap_s: float = 120.0
    """A provider that asks for more than this is put aside for the rest of the run."""
    backoff_s: float = 0.5
    backoff_cap_s: float = 30.0
    unreachable_s: float = 180.0
    """A model whose endpoint fails every call for so long is put aside; one at a port of this machine where
    nothing listens and nothing ever answered, after five seconds."""
    fail_fast: bool = False
    """Never ask again, and never wait for a limit: for people who would rather have an error than a wait.
    What would have to wait for a used-up limit or a paused endpoint ends `stopped`; its row says how long."""

    def __post_init__(self) -> None:
        times = (
            "timeout_s",
            "deadline_s",
            "retry_after_cap_s",
            "backoff_s",
            "backoff_cap_s",
            "unreachable_s",
        )
        given = mapping("attempts", self.attempts, like="{'TimedOut': 1}")
        check(
            *(number(name, getattr(self, name), least=0, below=None) for name in times),
            switch("fail_fast", self.fail_fast),
            given,
            *([] if given else [whole(f"attempts of {name}", n) for name, n in self.attempts.items()]),
        )
        object.__setattr__(self, "attempts", MappingProxyType({**_ATTEMPTS, **self.attempts}))


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows a failure. `wait_s` None: nothing more is asked; `stops_model` says why no cell is.
    `asked`: the wait that was asked for and is too long, and until when it is."""

    wait_s: float | None
    stops_model: str | None = None
    asked: str = ""


def decide(
    policy: Policy,
    error: ProviderError,
    *,
    failures: Mapping[str, int],
    elapsed_s: float,
    random: Random,
    by_chance: bool = False,
) -> Decision:
    """What to do after `error`.

    `failures` counts this generation's failures by class, this one included; `elapsed_s` is the time
    since its first sending. `by_chance`: the endpoint's refusals were found not to follow how much is asked,
    so that to wait longer each time is of no use.
    """
    name = type(error).__name__
    if isinstance(error, AuthenticationFailed):
        return Decision(None, f"its key was refused: {error}")
    if isinstance(error, QuotaExceeded):
        return Decision(None, f"its account has no credit left: {error}")
    if isinstance(error, CertificateRefused):
        return Decision(None, f"its certificate is not trusted: {error}")
    if isinstance(error, ConnectionFailed) and error.for_good:
        return Decision(None, f"it cannot be reached: {error}")
    asked_s = error.retry_after_s
    asked = "" if asked_s is None else f"it asked to wait {lasting(asked_s)}"
    if error.retryable and asked_s is not None and asked_s > policy.retry_after_cap_s:
        cap = f"retry_after_cap_s={policy.retry_after_cap_s:g}"
        return Decision(None, f"{asked}, which is more than {cap}", asked)
    if not error.retryable or policy.fail_fast:
        return Decision(None)
    free = isinstance(error, ConnectionFailed) or was_kept(error)
    if not free and failures.get(name, 0) >= policy.attempts.get(name, 1):
        return Decision(None)
    count = min(sum(failures.values()), _BY_CHANCE if by_chance else 17)
    wait_s = random.uniform(0, min(policy.backoff_cap_s, policy.backoff_s * 2 ** (count - 1)))
    if asked_s is not None:
        # Never earlier than asked, and not all in the same moment.
        wait_s = asked_s + min(wait_s, 0.1 * asked_s + 0.05)
    if elapsed_s + wait_s >= policy.deadline_s:
        return Decision(None, asked=asked)
    return Decision(wait_s)


def lasting(wait_s: float) -> str:
    """A wait from now on in words: how long, and until when.

    >>> lasting(7200)
    '7,200 s, until ... UTC'
    """
    until = datetime.now(UTC) + timedelta(seconds=min(wait_s, _YEAR_S))
    return f"{wait_s:,.0f} s, until {until:%Y-%m-%d %H:%M:%S} UTC"


def was_kept(error: ProviderError) -> bool:
    """Whether it tells of a connection that had been kept, not of the request that was sent on it."""
    return isinstance(error, ConnectionLost) and error.kept
