"""A GGUF file from the Hugging Face Hub, where `huggingface_hub` is installed.

The library brings the user's own token and endpoint. It does not know where weights are kept, and
takes the repository's word for the licence.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from labkit.errors import MissingPackage, WeightsError
from labkit.weights.digest import compute
from labkit.weights.folder import is_name
from labkit.weights.wheels import Progress, mb

_ADDRESS = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+)/(?P<file>[\w./ +-]+\.gguf)", re.IGNORECASE | re.ASCII)
_PIECE = re.compile(r"-\d{5}-of-\d{5}\.gguf$", re.IGNORECASE)
_PAPERS = re.compile(r"(LICEN[CS]E|NOTICE|USE_POLICY|TERMS)(\.(txt|md|html))?", re.IGNORECASE)
_LARGEST_PAPER_BYTES = 2_000_000


def parse(address: str) -> tuple[str, str, str]:
    """Repository, path in it, and the name the weights get here. Raises `WeightsError`.

    >>> parse("hf:bartowski/Qwen2.5-0.5B-Instruct-GGUF/Qwen2.5-0.5B-Instruct-Q4_K_M.gguf")[2]
    'Qwen2.5-0.5B-Instruct-Q4_K_M'
    """
    found = _ADDRESS.fullmatch(address)
    if found is None or ".." in address:
        raise WeightsError(f"{address[:200]!r} names no file on the Hub. Write hf:ORG/REPO/FILE.gguf")
    if _PIECE.search(address):
        raise WeightsError(
            f"{address[:200]!r} is one piece of a model in several files; take one in one file."
        )
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(found["file"]).stem).strip("-.")
    if not is_name(name):
        raise WeightsError(f"{address[:200]!r} gives no name to keep the weights under.")
    return found["repo"], found["file"], name


def fetch(repo: str, file: str, room: Path, say: Progress) -> dict[str, Any]:
    """Put the file, and the repository's licence files, into the folder `room`; what is known of them.

    The answer has `file`, `bytes`, `sha256`, `source`, `licence` and `papers`. Raises
    `MissingPackage` without the library, `WeightsError` where the file cannot be had or checked.
    """
    try:
        import huggingface_hub
    except ImportError:
        raise MissingPackage(
            "Files from the Hub need huggingface_hub: pip install 'labkit[local]', "
            "or give the path of a GGUF file that is here."
        ) from None
    api = huggingface_hub.HfApi(library_name="labkit")
    try:
        info = api.model_info(repo, files_metadata=True)
        sibling = next((each for each in info.siblings or () if each.rfilename == file), None)
        if sibling is None:
            files = [each.rfilename for each in info.siblings or () if each.rfilename.endswith(".gguf")]
            raise WeightsError(
                f"{repo} has no file {file!r}. It has {', '.join(files[:10]) or 'no GGUF files'}."
            )
        say(f"{file}: fetching from {repo} at {str(info.sha)[:12]} ({mb(sibling.size or 0)})")
        taken = Path(api.hf_hub_download(repo, file, revision=info.sha, local_dir=room / "hub"))
        papers = []
        for each in info.siblings or ():
            if _PAPERS.fullmatch(each.rfilename) and (each.size or 0) <= _LARGEST_PAPER_BYTES:
                paper = Path(
                    api.hf_hub_download(repo, each.rfilename, revision=info.sha, local_dir=room / "hub")
                )
                papers.append(paper.rename(room / paper.name).name)
    except WeightsError:
        raise
    except Exception as error:  # noqa: BLE001 - what it raises is its HTTP client's, another in each version
        raise WeightsError(
            f"{file!r} could not be fetched from {repo}: {_reason(error)}. Look at the address and the "
            "network; a GGUF file that is here already needs none: local:FILE.gguf."
        ) from None
    say(f"{file}: checking")
    digest = compute(taken)
    wanted = sibling.lfs.sha256 if sibling.lfs else None
    if wanted is not None and digest != wanted:
        raise WeightsError(f"The checksum of {file!r} is wrong: SHA-256 {digest} instead of {wanted}.")
    with open(taken, "rb") as opened:
        if opened.read(4) != b"GGUF":
            raise WeightsError(f"{file!r} from {repo} is no GGUF file. Nothing was kept.")
    kept = taken.rename(room / re.sub(r"[^A-Za-z0-9._-]+", "-", taken.name))
    card = info.card_data
    licence = (card.get("license_name") or card.get("license")) if card else None
    return {
        "file": kept.name,
        "bytes": kept.stat().st_size,
        "sha256": digest,
        "source": f"hf:{repo}@{info.sha}/{file}",
        "licence": str(licence or "not stated")[:200],
        "papers": tuple(papers),
    }


def _reason(error: Exception) -> str:
    text = re.sub(r"\S+://\S+", "<address>", str(error)) or type(error).__name__
    return " ".join(text.split())[:300]
