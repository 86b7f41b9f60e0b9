"""Every exception labkit raises, as one tree.

    LabkitError
    ├── DefinitionError          what you wrote cannot run; raised before any request, all faults at once
    │   ├── MissingVariables     a prompt needs values a sample does not have
    │   ├── UnknownModel         no model of that id or alias; names the nearest
    │   ├── UnknownPrompt        no prompt of that name or version in the lab or in data/prompts
    │   └── MissingKey           a chosen model needs a key that was not found
    ├── ProviderError            one call failed; becomes a row, never reaches the notebook by itself
    │   ├── AuthenticationFailed the key was refused (401, 403, or so it says)
    │   ├── QuotaExceeded        no credit left (402, insufficient_quota)
    │   ├── CertificateRefused   the address showed a certificate that is not trusted
    │   ├── InvalidRequest       the provider will never take this request (400, 404, 413, 422 …)
    │   ├── RateLimited          too fast (429)
    │   ├── Overloaded           the provider is busy or broken (408, 409, 424, 5xx, 529)
    │   ├── TimedOut             no answer in time; it may have been paid for
    │   ├── ConnectionFailed     the connection could not be made, so nothing was paid
    │   ├── ConnectionLost       the connection broke while the answer came; it may have been paid for
    │   └── MalformedAnswer      an answer came that is none: cut, empty, mistyped, without a finish reason
    ├── StoreError               the lab could not be read or written
    │   ├── StoreLocked          somebody else holds the file; says who and what to do
    │   ├── StoreAway            the server of a shared lab does not take or give lines now; it is tried again
    │   ├── StoreTooNew          a newer labkit wrote this lab: it can be read, not written
    │   └── StoreDamaged         what is on disk is not what was written
    ├── RunBusy                  another process or cell drives this run
    ├── SentinelAlarm            a sentinel says that a run is worse, or cannot tell
    ├── WeightsError             a local model's file could not be fetched or checked
    └── MissingPackage           an optional package is needed; names the command that installs it

It does not know who raises what, and holds no key: messages are scrubbed where they are made.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable


class LabkitError(Exception):
    """The root: everything labkit raises on purpose. A notebook shows its message and the line of the cell;
    `%tb` the traceback."""

    _seen: int | None = None

    def _render_traceback_(self) -> list[str]:
        """What IPython prints, which calls this by its name. Raised anew, an error has another traceback."""
        from labkit import traceback_summary

        this = id(self.__traceback__)
        again, self._seen = self._seen == this, this
        return traceback_summary.lines(self, sys.modules["IPython"].get_ipython(), again=again)


class DefinitionError(LabkitError):
    """What you wrote cannot run. `faults` lists every reason, one sentence each."""

    def __init__(self, faults: str | Iterable[str]) -> None:
        given = (faults,) if isinstance(faults, str) else faults
        # What was wrong may be half a character, which nobody could print.
        self.faults: tuple[str, ...] = tuple(one.encode(errors="backslashreplace").decode() for one in given)
        if len(self.faults) == 1:
            text = self.faults[0]
        else:
            text = f"{len(self.faults)} things to mend:\n" + "\n".join(
                f"  {number}. {fault}" for number, fault in enumerate(self.faults, 1)
            )
        super().__init__(text)

    def __reduce__(self) -> tuple[type, tuple[tuple[str, ...]]]:
        return type(self), (self.faults,)


class MissingVariables(DefinitionError):
    """A prompt needs values that a sample does not have."""


class UnknownModel(DefinitionError):
    """No model of that id or alias."""


class UnknownPrompt(DefinitionError):
    """No prompt of that name or version."""


class MissingKey(DefinitionError):
    """A chosen model needs a key that was not found."""


class ProviderError(LabkitError):
    """One call failed.

    `retryable` says whether asking again can help, `maybe_paid` whether the provider may have
    charged for it, `retry_after_s` how long the provider asked to wait (None: it did not say),
    `status` the HTTP status if there was one, `raw` the scrubbed body.
    """

    retryable = False
    maybe_paid = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        headers: dict[str, str] | None = None,
        raw: str | None = None,
        maybe_paid: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s
        self.headers = headers or {}
        self.raw = raw
        if maybe_paid is not None:
            self.maybe_paid = maybe_paid


class AuthenticationFailed(ProviderError):
    """The key was refused; the model is stopped, the others go on."""


class QuotaExceeded(ProviderError):
    """No credit left; the model is stopped, the others go on."""


class CertificateRefused(ProviderError):
    """The address showed a certificate that is not trusted; the model is stopped, the others go on."""


class InvalidRequest(ProviderError):
    """The provider will never take this request.

    `alike` is the same for refusals of one kind, whatever request they answer; `names` are the words in it
    that may be the names of parameters, or `model`.
    """

    alike = ""
    names: frozenset[str] = frozenset()


class RateLimited(ProviderError):
    """The provider asks to go slower."""

    retryable = True


class Overloaded(ProviderError):
    """The provider is busy or broken for the moment."""

    retryable = True


class TimedOut(ProviderError):
    """No answer in time. The provider may have finished it, and charged for it."""

    retryable = True
    maybe_paid = True


class ConnectionFailed(ProviderError):
    """The connection could not be made, so nothing was paid.

    `for_good`: it never will be, as the address or the proxy is; the model is stopped, the others go on.
    `nobody_here`: nothing listens at that port of this machine.
    """

    retryable = True
    for_good = False
    nobody_here = False


class ConnectionLost(ProviderError):
    """The connection broke while the answer came. It may have been charged for.

    `kept`: it was kept from an earlier request and closed just as this one went out, before any byte came
    back. So servers end idle connections: as a rule the request was never read, but nobody can know. It is
    asked again over a connection made for it, and that does not count as a failure of the request.
    """

    retryable = True
    maybe_paid = True
    kept = False


class MalformedAnswer(ProviderError):
    """What came is not an answer: cut, empty, mistyped, or without a finish reason."""

    retryable = True
    maybe_paid = True


class StoreError(LabkitError):
    """The lab could not be read or written."""


class StoreLocked(StoreError):
    """Somebody else holds the lab's file. The message says who, and what to do."""


class StoreAway(StoreError):
    """The server of a shared lab does not take or give lines now; it is tried again."""


class StoreTooNew(StoreError):
    """A newer labkit wrote this lab: it can be read, not written."""


class StoreDamaged(StoreError):
    """What is on disk is not what was written."""


class RunBusy(LabkitError):
    """Another process or cell drives this run; the message says which."""


class SentinelAlarm(LabkitError):
    """A sentinel says that a run is worse, or cannot tell; raised by `night.raise_for_outcome()`."""


class WeightsError(LabkitError):
    """A local model's file could not be fetched, or is not what it should be."""


class MissingPackage(LabkitError):
    """An optional package is needed; the message names the command that installs it."""
