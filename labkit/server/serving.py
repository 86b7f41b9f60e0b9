"""The service from its start: its port, its log, and the process, or the workers, that answer at it.

The port and the lab are taken before anything else, so that a second start says at once who has them. It
does not know routes.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

import uvicorn
from sqlalchemy import select

from labkit.engine import gc_freeze
from labkit.errors import DefinitionError, RunBusy
from labkit.lab import Lab
from labkit.paths import shown
from labkit.server.accounts import first_admin, signing_keys
from labkit.server.app import make_app
from labkit.server.http_protocol import HttpProtocol
from labkit.server.routes import runs
from labkit.server.service import Service
from labkit.server.settings import LOCK, Settings
from labkit.server.state import State
from labkit.server.state.tables import User
from labkit.server.workers import Workers

GRACE_S = 1
"""How long requests that are under way may take once everyone who waits was told of the end."""
UNSENT_BYTES = 128 * 1024
"""So much of an answer waits in the kernel at most for a reader that is behind."""
BACKLOG = 2048
"""As many as uvicorn has wait."""
MOST_NAMES = 5
TURN_S = 0.001
"""So long a thread computes before another has its turn. Python's own 5 ms are long for whoever waits behind
several runs that begin: with these one in a hundred answers came 40 % later."""


def serve(settings: Settings, *, said: Callable[[str], None]) -> None:
    """Serve until a signal ends it. `said` is told the address, who may log in, and how to add somebody.

    Raises `DefinitionError` where the port or the lab is somebody else's, and `StoreError`.
    """
    settings.check()
    with _alone(settings), _port(settings) as taken:
        settings = settings.replace(port=taken.getsockname()[1])
        for line in _greeting(settings):
            said(line)
        _log_to_stderr()
        if settings.workers == 1:
            with contextlib.suppress(KeyboardInterrupt):  # it ended in good order
                _serve(settings, taken)
        else:
            gc_freeze.freeze_for_good()
            Workers(partial(_work, settings, taken), settings.workers).run()


def _work(settings: Settings, taken: socket.socket, began: Callable[[], None]) -> None:
    """One of several processes."""
    _log_to_stderr()
    _serve(settings, taken, began)


def _serve(settings: Settings, taken: socket.socket, began: Callable[[], None] = lambda: None) -> None:
    """Answer at that port until a signal ends it."""
    service = Service(settings, _lab(settings))
    service.warm_up()
    config = uvicorn.Config(
        make_app(service),
        lifespan="on",
        http=HttpProtocol,
        ws="none",
        access_log=False,  # the service has its own, without queries
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    gc_freeze.freeze_for_good()
    sys.setswitchinterval(TURN_S)
    began()
    uvicorn.Server(config).run(sockets=[taken])


def _log_to_stderr() -> None:
    """Print labkit's log: what troubles it, and a line for each request."""
    lines = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    lines.converter = time.gmtime
    printed = logging.StreamHandler()
    printed.setFormatter(lines)
    logging.getLogger("labkit").addHandler(printed)
    logging.getLogger("labkit.server").setLevel(logging.INFO)


def _greeting(settings: Settings) -> Iterator[str]:
    """What whoever starts it wants to know. Makes the state, and the admin that variables name."""
    signing_keys.found(settings)
    state = State(settings.database)
    made = first_admin.ensure(state)
    with state.reading() as rows:
        names = list(rows.scalars(select(User.name).where(User.disabled_us.is_(None)).order_by(User.name)))
    state.close()
    yield f"labkit serves {shown(settings.lab)} at {settings.url}"
    if made is not None:
        yield f"{made} was made an admin, as the environment says."
    if names:
        more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
        yield f"{', '.join(names[:MOST_NAMES])}{more} may log in. Add somebody: labkit serve users add NAME"
    else:
        yield "Nobody may log in yet. Add somebody: labkit serve users add NAME"


def _lab(settings: Settings) -> Lab:
    return Lab(settings.lab, models=settings.models or ())


@contextlib.contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Be the only service of this lab."""
    lab = _lab(settings)
    list(lab.models)  # a file of models that is wrong is told of here, and not by each worker
    store = lab.store
    store.check_writable()
    try:
        with store.drive(LOCK, called=f"The service of {shown(settings.lab)}"):
            yield
    except RunBusy as busy:
        raise DefinitionError(
            f"{str(busy).partition('. ')[0]}. Stop it there, or give it more processes: --workers."
        ) from None


@contextlib.contextmanager
def _port(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((settings.host, settings.port))
        except OSError as error:
            raise DefinitionError(
                f"Port {settings.port} of {settings.host} cannot be had: {error.strerror}. "
                "Another program serves there; stop it, or choose another by --port."
            ) from None
        bounded(taken)
        # Who comes as soon as the address is told waits for the first worker, and is not refused.
        taken.listen(BACKLOG)
        yield taken


def bounded(listening: socket.socket) -> None:
    """Have its connections hold little for a reader that is behind, and end where one takes nothing.

    No application can: what a connection that it closed has not sent yet waits until it is taken.
    """
    if sys.platform == "linux":
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * runs.WRITE_S))
