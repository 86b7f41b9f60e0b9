"""Scripted models for notebooks of the browser tests: their answers are known, word by word."""

from __future__ import annotations

import labkit as lk

PRICES = {"input": 1.0, "output": 4.0}
PRAISE = (
    "The message is friendly in tone and thanks the shop for its quick reply. There is no request in it, "
    "and nothing that would have to be put right, so I would call it praise. "
)


def words(model: str, asked: str, count: int) -> str:
    """`count` words that no other answer has, in order."""
    return " ".join(f"{model}:{asked}:{number}" for number in range(count))


def counting(
    name: str, *, count: int = 60, first_token_s: float = 0.2, delay_s: float = 2.0, at_once: int = 64
) -> lk.Model:
    """A model that counts: every word says which model, which question and the how-manieth it is."""
    script = lk.Script(
        lambda request: words(name, request.messages[-1]["content"].split()[-1], count),
        version=f"{name}-{count}",
        first_token_s=first_token_s,
        delay_s=delay_s,
    )
    return lk.Model(
        f"scripted/{name}", client=script, prices={"input": 1.0, "output": 4.0}, concurrency=at_once
    )


def served(name: str, address: str, *, at_once: int = 64) -> lk.Model:
    """A model behind a real port that speaks OpenAI's dialect; what it says is set at the server."""
    return lk.Model(
        f"served/{name}",
        dialect="openai",
        base_url=f"{address}/c/{name}/v1",
        key_env="SERVED_API_KEY",
        prices=PRICES,
        concurrency=at_once,
    )


def talking(name: str, *, text: str = PRAISE, first_token_s: float = 0.3, delay_s: float = 3.0) -> lk.Model:
    """A model that says what a model would say."""
    script = lk.Script(
        lambda request: text, version=f"{name}-1", first_token_s=first_token_s, delay_s=delay_s
    )
    return lk.Model(f"scripted/{name}", client=script, prices=PRICES, label=name, max_output=1000)
