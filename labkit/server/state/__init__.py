"""What the service remembers beside the lab: accounts, money, keys of requests, the tail of events, an index.

The lab stays the record of answers: what stands here of executions can be deleted and is made anew.
"""

from labkit.server.state.database import State

__all__ = ["State"]
