"""A process of the service: its port, its workers, its end.

The port and the lab are taken before anything else, so that a second start says at once who has them. It
does not know routes.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess

import msgspec
import uvicorn
from fastapi import FastAPI
from sqlalchemy import select
from uvicorn.supervisors import Multiprocess

from labkit.errors import DefinitionError, RunBusy
from labkit.lab import Lab
from labkit.paths import shown
from labkit.server.accounts import first_admin, signing_keys
from labkit.server.app import make_app
from labkit.server.routes import runs
from labkit.server.service import Service
from labkit.server.settings import LOCK, Settings
from labkit.server.state import State
from labkit.server.state.tables import User

_SETTINGS = "LABKIT_SERVE_SETTINGS"
"""How a worker is told its settings."""
GRACE_S = 3
"""How long requests that are under way may take once the service is to end."""
HUNG_S = 30
"""A worker that does not answer its supervisor for so long is replaced. One that starts on a busy machine
needs more than uvicorn's five seconds."""
UNSENT_BYTES = 128 * 1024
"""So much of an answer waits in the kernel at most for a reader that is behind."""
BACKLOG = 2048
"""As many as uvicorn has wait."""
MOST_NAMES = 5


def serve(settings: Settings, *, said: Callable[[str], None]) -> None:
    """Serve until a signal ends it. `said` is told the address, who may log in, and how to add somebody.

    Raises `DefinitionError` where the port or the lab is somebody else's, and `StoreError`.
    """
    settings.check()
    with _alone(settings), _port(settings) as taken:
        settings = settings.replace(port=taken.getsockname()[1])
        os.environ[_SETTINGS] = msgspec.json.encode(settings, enc_hook=str).decode()
        for line in _greeting(settings):
            said(line)
        config = uvicorn.Config(
            "labkit.server.serving:worker",
            factory=True,
            workers=settings.workers,
            lifespan="on",
            ws="none",
            access_log=False,  # the service has its own, without queries
            log_level="warning",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
            timeout_worker_healthcheck=HUNG_S,
        )
        if settings.workers == 1:
            with contextlib.suppress(KeyboardInterrupt):  # it ended in good order
                uvicorn.Server(config).run(sockets=[taken])
        else:
            Multiprocess(config, sockets=[taken]).run()


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


def worker() -> FastAPI:
    """The application of one worker process, by the settings that its environment has."""
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        threading.Thread(target=_end_after, args=(supervisor,), name="labkit supervisor", daemon=True).start()
    told = os.environ[_SETTINGS]
    settings = msgspec.json.decode(told, type=Settings, dec_hook=lambda kind, value: kind(value))
    return make_app(Service(settings, _lab(settings)))


def _lab(settings: Settings) -> Lab:
    return Lab(settings.lab, models=settings.models or ())


def _end_after(supervisor: BaseProcess) -> None:
    """End this worker once its supervisor is gone: it would hold the port, and nobody could end it by it."""
    supervisor.join()
    os.kill(os.getpid(), signal.SIGTERM)


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
