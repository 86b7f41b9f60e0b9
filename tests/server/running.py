"""An application served by uvicorn in this process, as `labkit serve` has it served.

Not a test; it knows nothing of what is served.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

START_S = 20


@contextlib.contextmanager
def running(app: ASGIApp) -> Iterator[str]:
    """The address at which it is served until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = uvicorn.Config(app, ws="none", access_log=False, log_level="critical", server_header=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
        thread.start()
        try:
            # The port takes connections already; they are answered once the server has begun.
            yield f"http://127.0.0.1:{taken.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(START_S)
            assert not thread.is_alive(), "the server did not end"
