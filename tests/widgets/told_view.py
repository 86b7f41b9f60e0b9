"""A view for rating whose messages a test can read and send."""

from __future__ import annotations

from typing import Any

from labkit.widgets.rating_view import RatingView


class Told(RatingView):
    """A view that keeps what it sends."""

    def __init__(self, rated: Any) -> None:
        self.told: list[dict[str, Any]] = []
        super().__init__(rated)

    def send(self, content: Any, buffers: Any = None) -> None:
        self.told.append(content)

    def hear(self, **content: Any) -> dict[str, Any]:
        self._heard(self, content, [])
        return self.told[-1]
