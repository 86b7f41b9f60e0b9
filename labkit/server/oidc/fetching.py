"""Requests to an identity provider: bounded in time and size, and never sent on to where its answer points.

It does not know what is asked for.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping

import httpx2

from labkit.server.problems import Problem, unavailable

log = logging.getLogger("labkit.server")

MOST_S = 10.0
MOST_BYTES = 1_000_000


class Fetcher:
    """Asks for what is called `what` in words. Raises 503 for all but an answer of 200."""

    def __init__(self) -> None:
        self._tls: ssl.SSLContext = httpx2.create_ssl_context()

    async def get(self, url: str, what: str) -> bytes:
        """The answer to a GET."""
        status, body = await self._answer(httpx2.Request("GET", url, headers=_HEADERS), what)
        if status != 200:
            raise failed(what, f"its answer was {status}")
        return body

    async def post(
        self, url: str, what: str, form: Mapping[str, str], headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        """Status and body of the answer to a form."""
        request = httpx2.Request("POST", url, data=dict(form), headers={**_HEADERS, **headers})
        return await self._answer(request, what)

    async def _answer(self, request: httpx2.Request, what: str) -> tuple[int, bytes]:
        body = bytearray()
        client = httpx2.AsyncClient(verify=self._tls, follow_redirects=False, timeout=MOST_S)
        try:
            async with asyncio.timeout(MOST_S), client:
                answer = await client.send(request, stream=True)
                async for piece in answer.aiter_raw():  # as it was sent: what is packed could be of any size
                    body += piece
                    if len(body) > MOST_BYTES:
                        raise failed(what, f"its answer has more than {MOST_BYTES:,} bytes")
                return answer.status_code, bytes(body)
        except TimeoutError:
            raise failed(what, f"it did not answer within {MOST_S:.0f} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise failed(what, f"it cannot be reached ({error.__class__.__name__})") from None


def failed(what: str, why: str) -> Problem:
    """503: the provider did not give `what`."""
    log.warning("The identity provider did not give its %s: %s", what, why)
    return unavailable(f"The identity provider did not give its {what}: {why}. Try again later.")


_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}
