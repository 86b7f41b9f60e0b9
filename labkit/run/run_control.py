"""Steering a run that goes: stop, pause, go on, limits.

It passes on what it is told, and returns at once; what becomes of it is the launch's.
"""

from __future__ import annotations

from labkit.arguments import check, text
from labkit.errors import DefinitionError, LabkitError
from labkit.run.launch import Launch
from labkit.run.limit_status import Limits, per_minute
from labkit.visible import quoted


class RunControl:
    """The part of a run's handle that steers. `Run` is the one."""

    run_id: str
    _launch: Launch | None

    def stop(self, reason: str = "stopped by you", *, model: str | None = None) -> None:
        """Ask nothing more, or nothing more of one `model`; answers in flight are kept. Returns at once."""
        check(text("reason", reason))
        launch = self._driven()
        if model is None:
            launch.stop(reason)
        else:
            launch.stop_model(self._asked(model), reason)

    def pause(self) -> None:
        """Send nothing for now; what is in flight goes on. Returns at once."""
        self._driven().pause(True)

    def go_on(self) -> None:
        """Send again after `pause`."""
        self._driven().pause(False)

    @property
    def limits(self) -> Limits:
        """What each model waits for now, or waited for last: a value with a `frame()`.

        Empty for a run that is not driven from here, and before anything is asked.

        >>> run.limits.frame()[["model", "in_flight", "limit", "opens_in_s"]]   # doctest: +SKIP
        """
        return Limits([] if self._launch is None else self._launch.limits())

    def limit(
        self,
        model: str,
        *,
        concurrency: int | None = None,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
    ) -> None:
        """Change the limits of one model while the run goes. Returns at once; None leaves one as it is.

        `concurrency` is the most in flight at once; models of one endpoint and key that have none of their
        own share it. The others are kept beside the provider's, and are this launch's alone; `math.inf`
        lifts them. Tokens are counted as the most a request may use, and corrected by its answer.
        Raises `DefinitionError` for a model that is not asked and for what is no limit.

        >>> run.limit("openai/gpt-4o", concurrency=8, requests_per_minute=100)   # doctest: +SKIP
        """
        launch = self._driven()
        launch.limit(
            self._asked(model), concurrency, per_minute(requests_per_minute, tokens_per_minute, concurrency)
        )

    def _asked(self, model: str) -> str:
        known = [one.id for one in self._driven().design.models]
        if model not in known:
            raise DefinitionError(f"This run does not ask {quoted(model)}; it asks {', '.join(known)}.")
        return model

    def _driven(self) -> Launch:
        if self._launch is None:
            raise LabkitError(
                f"Run {self.run_id} is not driven from here: it is stopped, paused and resumed where it was "
                f"started. To ask here what has no answer yet: lab.again('{self.run_id}', scorers=[…]).run()."
            )
        return self._launch
