"""Between the journals of one machine and the PostgreSQL of a lab that several share.

Importing it loads no driver: that comes with the first address.
"""

from labkit.store.exchange.address import Address
from labkit.store.exchange.share_database import (
    Fetched,
    InLine,
    OutLine,
    Sender,
    SenderMoved,
    ShareDatabase,
)

__all__ = ["Address", "Fetched", "InLine", "OutLine", "Sender", "SenderMoved", "ShareDatabase"]
