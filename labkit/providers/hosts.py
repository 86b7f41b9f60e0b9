"""Which host a client is made for: the model's base URL, held to the rules once more before a key goes there.

It asks the name server and nobody else. How an address is judged stands in `labkit.endpoints`.
"""

from __future__ import annotations

from labkit import endpoints
from labkit.catalog.model import Model
from labkit.errors import DefinitionError


def vetted(model: Model, default_url: str) -> str:
    """The base URL to ask `model` at. Raises `DefinitionError` where its name stands for a forbidden address.

    The name is looked up where a client is made, off the loop, and not again. A name that changes its
    address after that leads to a host without a certificate for it: all but this machine is asked encrypted.
    A name that cannot be looked up is left to the connection, which says so, or to the proxy.
    """
    url = model.base_url or default_url
    if url == default_url or endpoints.is_loopback(url):
        return url
    normal, faults = endpoints.check_base_url(
        url, allow_host=model.allow_host, resolve=endpoints.addresses_of
    )
    if normal is None:
        raise DefinitionError(f"{model.id}: {fault}" for fault in faults)
    return normal
