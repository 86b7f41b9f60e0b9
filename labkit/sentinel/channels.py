"""Brings a text to people: to a chat's webhook, and into a command such as `mail`; pings a heartbeat monitor.

It does not know what the text says or when one is due. A channel that fails is told in words and raises
nothing; nothing is sent twice. Without an address or a command nothing is contacted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from labkit.endpoints import check_hook
from labkit.sentinel import command as command_channel

Channel = Literal["webhook", "command"]
_CALLS = re.compile(
    r"@(?=(?:everyone|here|channel|all)\b)|(?<!\w)@(?=\w)|<(?=[!@#a-z])|\](?=[(\[])", re.IGNORECASE
)
"""What chats read as a call to people, or as a link or a picture with another text: `@here`, `@ada`,
`<!channel>`, `[text](address)`."""


@dataclass(frozen=True)
class Delivery:
    """What became of a text on one channel."""

    channel: Channel
    error: str | None
    """Why it was not taken, in words with no secret in them; None: it was."""


def calls_nobody(text: str) -> str:
    """`text` in which a chat finds nobody to call and no link with another text.

    >>> calls_nobody("row <!channel>, @here")
    'row < !channel>, @ here'
    """
    return _CALLS.sub(lambda call: call[0] + " ", text)


def channels(
    command: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ
) -> list[Channel]:
    """Those that there are."""
    there = {"webhook": _webhook(environment) is not None, "command": command is not None}
    return [one for one in get_args(Channel) if there[one]]


def deliver(
    text: str,
    *,
    command: Sequence[str] | None = None,
    environment: Mapping[str, str] = os.environ,
    to: Channel | None = None,
) -> list[Delivery]:
    """Send `text` once to every channel there is, or `to` one, and say what became of it; empty where there
    is none.

    The webhook is the address in `LABKIT_WEBHOOK`: it gets one POST of `{"text": …}`, which is what Slack,
    Mattermost, Google Chat and Discord (at the address with `/slack` after it) take. What would call people
    there or hide a link, such as `<!channel>`, is broken up by a blank. `command` is a program and its
    arguments; it gets the text on its input. A webhook has 10 s, a command 30 s. Never raises for a channel.

    >>> deliver("Worse than on Monday.", environment={})
    []
    >>> deliver("Worse than on Monday.", environment={"LABKIT_WEBHOOK": "hooks.example.com/T0/B0"})[0].error
    'LABKIT_WEBHOOK must begin with https:// (or http:// on this machine).'
    """
    found: list[Delivery] = []
    wanted = [one for one in channels(command, environment) if to in (None, one)]
    if "webhook" in wanted and (hook := _webhook(environment)):
        from labkit.json_bytes import json_bytes

        # Half of a surrogate pair has no place in UTF-8, and a server would refuse the whole of it.
        whole = calls_nobody(text).encode("utf-8", "replace").decode()
        found.append(Delivery("webhook", _request("POST", hook, json_bytes({"text": whole}))))
    if "command" in wanted and command is not None:
        # A program reads lines, and the next text may be added to the same file.
        found.append(Delivery("command", command_channel.run(command, f"{text}\n", environment=environment)))
    return found


def heartbeat(*, environment: Mapping[str, str] = os.environ) -> str | None:
    """Ping the address in `LABKIT_HEARTBEAT` by one GET, and say why that failed.

    None: it was pinged, or there is no address. Healthchecks.io answers 200 "OK (not found)" where it knows
    no such check; that is told as a failure too (https://healthchecks.io/docs/http_api/).

    >>> heartbeat(environment={})
    """
    hook = _monitor(environment)
    return _request("GET", hook, None) if hook else None


def channel_faults(
    command: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ
) -> list[str]:
    """What is wrong with the command or the addresses, in words without a secret; contacts nobody.

    >>> channel_faults(["no-such-program-here"], {})
    ['The command “no-such-program-here” is not found: ...']
    """
    faults = [] if command is None else command_channel.faults(command, environment=environment)
    for hook in (_webhook(environment), _monitor(environment)):
        faults += hook.faults() if hook else []
    return faults


@dataclass(frozen=True)
class _Hook:
    """An address, and the variable it stands in."""

    called: str
    address: str = field(repr=False)
    allow_host: str | None

    def faults(self) -> list[str]:
        return check_hook(self.address, called=self.called, allow_host=self.allow_host)


def _webhook(environment: Mapping[str, str]) -> _Hook | None:
    address = environment.get("LABKIT_WEBHOOK", "").strip()
    allowed = environment.get("LABKIT_WEBHOOK_ALLOW_HOST", "").strip()
    return _Hook("LABKIT_WEBHOOK", address, allowed or None) if address else None


def _monitor(environment: Mapping[str, str]) -> _Hook | None:
    address = environment.get("LABKIT_HEARTBEAT", "").strip()
    allowed = environment.get("LABKIT_HEARTBEAT_ALLOW_HOST", "").strip()
    return _Hook("LABKIT_HEARTBEAT", address, allowed or None) if address else None


def _request(method: str, hook: _Hook, content: bytes | None) -> str | None:
    if faults := hook.faults():
        return " ".join(faults)
    from labkit.sentinel import webhook  # brings an HTTP client with it

    return webhook.request(
        method, hook.address, called=hook.called, allow_host=hook.allow_host, content=content
    )
