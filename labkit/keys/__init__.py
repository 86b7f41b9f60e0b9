"""Where a key comes from, what may see it, and to which host it may go.

It does not know providers, prices or how a key is sent, and opens no connection.
"""

from labkit.keys.key import Key
from labkit.keys.scrub import resembles_key, scrub
from labkit.keys.sources import dotenv_file, find, for_model, key_env, state

__all__ = ["Key", "dotenv_file", "find", "for_model", "key_env", "resembles_key", "scrub", "state"]
