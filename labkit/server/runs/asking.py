"""One admitted run from its first request to its last event: driven in a thread, heard by its stream.

It does not know who may ask, nor how answers leave the service.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial

from msgspec.structs import asdict
from sqlalchemy.orm import Session

from labkit.design import Design
from labkit.errors import LabkitError
from labkit.records import Generation
from labkit.run.lab_services import LabServices
from labkit.run.launch import Launch, Settings
from labkit.run.stored import Stored
from labkit.server.executions import budgets, history
from labkit.server.executions.history import Asking
from labkit.server.executions.run_answers import RunAnswers
from labkit.server.problems import unavailable
from labkit.server.service import Service
from labkit.server.state.tables import Execution

log = logging.getLogger("labkit.server")


class Asked:
    """A run that goes. `keyless` are the models that cannot be asked and why; `budget_usd` is the most it may
    spend, None: what it takes."""

    def __init__(
        self,
        service: Service,
        *,
        design: Design,
        run_id: str,
        services: LabServices,
        stored: Stored,
        asking: Asking,
        answers: RunAnswers,
        keyless: Mapping[str, str],
        budget_usd: float | None,
    ) -> None:
        self.run_id = run_id
        self._service = service
        self._answers = answers
        self._keyless = keyless
        self._stream = service.board.open(
            run_id, asking.names, sent=answers.sent, ended=answers.ended, stop=self.stop_by_caller
        )
        self._launch = Launch(
            design,
            run_id=run_id,
            resumed=False,
            services=services,
            keys=services.find_keys([model for model in design.models if model.id not in keyless]),
            scorers=(),
            settings=Settings(fresh=stored.answers is None, budget_usd=budget_usd, settles=False),
            stored=stored,
            watcher=self._stream,
        )

    def begin(self, driving: ExitStack) -> None:
        """Ask, in a thread of its own; `driving` holds the run's lock until its end is kept: before that, it
        would look like one that was broken off. Raises 503 where no thread is left: then it is one."""
        self._service.asked[self.run_id] = self
        thread = threading.Thread(
            target=self._drive, args=(driving,), name=f"labkit-{self.run_id}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:
            self._service.asked.pop(self.run_id, None)
            driving.close()
            raise unavailable(f"Nothing can be asked now: {error}.") from None

    def stop(self, reason: str) -> None:
        """End it now: what is in flight is cut off, and its text so far is kept."""
        self._launch.abort(reason)

    def stop_by_caller(self, model: str | None) -> None:
        """The same, for one model where it is named: the others go on."""
        if model is None:
            self.stop("stopped by a caller")
        else:
            self._launch.stop_model(model, "a user asked for it", abort=True)

    def _drive(self, driving: ExitStack) -> None:
        with driving:
            fault = "The service failed before it was answered; its log says how."
            try:
                self._tell_keyless()
                self._launch.drive()
            except LabkitError as error:
                fault = str(error)
                log.error("Run %s broke off: %s", self.run_id, fault)
            except Exception:
                log.exception("Run %s broke off.", self.run_id)
            finally:
                lost = self._answers.lost(fault)
                reason = "restarting" if self._service.closing else None
                self._stream.end(self._answers.all(), reason, also=lambda rows: self._close(rows, lost))
                self._stream.kept.wait()  # a run whose lock is free and whose end is not kept was broken off
                self._service.asked.pop(self.run_id, None)

    def _tell_keyless(self) -> None:
        writer = self._service.lab.store.writer()
        for cell in self._answers.cells:
            if cell.model in self._keyless:
                why = self._keyless[cell.model]
                row = Generation(**asdict(cell), status="failed", error_type="MissingKey", error_message=why)
                writer.generation(row, partial(self._stream.ended, row))

    def _close(self, session: Session, lost: Sequence[Execution]) -> None:
        history.put(session, lost)
        budgets.settle(session, self.run_id, self._launch.spent_usd)
