"""HTTP/1.1 as uvicorn reads it, with an answer of the service's kind to what is no HTTP.

Such bytes reach no application: uvicorn answers them itself, in plain text, and fails with a traceback where
an answer was under way or given already.
"""

from __future__ import annotations

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from labkit.server.problems import Problem


class HttpProtocol(H11Protocol):
    """Answers what it cannot read by 400 as a problem, where an answer can still be given; then closes."""

    def send_400_response(self, msg: str) -> None:
        """Say that it cannot be read; `msg` is uvicorn's word for it."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            answer = Problem(400, "The request is not HTTP/1.1 that can be read. Send another.").response()
            headers = [*answer.raw_headers, (b"connection", b"close")]
            head = h11.Response(status_code=answer.status_code, headers=headers, reason=b"Bad Request")
            for event in (head, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
