"""Local models' files: which can be pulled, where they lie, what they are.

It does not know how a model is run (see `labkit.providers.local`) nor what the catalog says of it.
Nothing here is fetched unless `pull` is called.
"""

from labkit.weights.digest import sha256
from labkit.weights.fetch import pull
from labkit.weights.folder import Pulled, find, folder, pulled
from labkit.weights.registry import REGISTRY, Source, Wheel

__all__ = ["REGISTRY", "Pulled", "Source", "Wheel", "find", "folder", "pull", "pulled", "sha256"]
