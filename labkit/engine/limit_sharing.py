"""Shares limits between the runs of one machine that use one key at one endpoint, in any process.

Each run tells in a file (`shared_usage_file`), about twice a second, whether requests of a model wait, what
it was told of the model's limits and how it was refused, and reads what the others tell. From that follows

- its share: of the provider's buckets, of the learnt rate and of the places at the endpoint it takes one
  part in as many as there are runs with requests waiting. One that waits for nothing leaves its part to
  the others; one that was killed or stopped does so within three seconds.
- what it need not find out by itself: a new run begins with the buckets others know, and with the limit that
  they, or runs that ended lately, ran into.
- its pace: where one runs into a limit, all ask at the pace that was set last. What becomes of a request is
  held against how fast all ask, this run and the others.

Shares are equal, however much waits: a long run does not starve a short one. It does not know what a run
would make of its share: one that asks slowly for other reasons leaves a part unused. In the half second
before the others read of a newcomer both may send. Where the file cannot be written nothing is shared;
the log says so once.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Mapping
from math import inf
from typing import Any

from labkit.engine import shared_usage_file
from labkit.engine.queues import LOCAL, Endpoint, ModelQueue
from labkit.engine.rate_limiter import WINDOW_S
from labkit.engine.shared_usage_file import Notice, SharedUsageFile
from labkit.engine.token_buckets import Bucket

log = logging.getLogger("labkit.engine")

_EVERY_S = 0.4
_alone: set[str] = set()


class LimitSharing:
    """One run's part in the sharing. Used on one loop. `join` may take as long as the disk takes."""

    def __init__(self) -> None:
        self._who = os.urandom(16)
        self._files: list[tuple[SharedUsageFile, list[ModelQueue]]] = []
        self._at = 0.0

    def __repr__(self) -> str:
        return f"LimitSharing({len(self._files)} files)"

    @classmethod
    def join(cls, queues: Iterable[ModelQueue], keys: Mapping[str, Any]) -> LimitSharing:
        """Take part for `queues` whose endpoints others can use too. Raises nothing that a disk can."""
        made = cls()
        places: dict[str, list[ModelQueue]] = {}
        for queue in queues:
            model, key = queue.model, keys.get(queue.model.id)
            if model.dialect not in LOCAL and model.client is None:
                secret = "" if key is None else key.reveal()
                name = shared_usage_file.file_name(model.base_url or model.provider, secret)
                places.setdefault(name, []).append(queue)
        for name, those in places.items():
            try:
                made._files.append((SharedUsageFile(shared_usage_file.folder() / name), those))
            except (OSError, RuntimeError) as error:
                _say(error)
        return made

    def begin(self, now: float) -> None:
        """Tell of this run, and learn what others know, before the first request."""
        self._beat(now, begins=True)

    def beat(self, now: float, *, news: bool = False) -> None:
        """Tell and read, if it is time or there is `news`."""
        if self._files and (news or now - self._at >= _EVERY_S):
            self._beat(now)

    def leave(self, now: float) -> None:
        """Take no further part; what was found out stays for a while."""
        self._beat(now, here=False)
        for place, _ in self._files:
            place.close()
        self._files = []

    def _beat(self, now: float, *, here: bool = True, begins: bool = False) -> None:
        self._at = now
        # The clocks of the engine need not be the same in two processes; the monotonic one is.
        ahead_s = time.monotonic() - now
        for entry in list(self._files):
            place, queues = entry
            try:
                others = [one for one in place.read() if one.who != self._who]
                for queue in queues:
                    self._heed(queue, [one for one in others if one.model == queue.model_hash], now, ahead_s)
                self._spread(queues, others, now + ahead_s)
                for queue in queues:
                    place.write(self._notice(queue, now, ahead_s, here=here, begins=begins))
            except OSError as error:
                _say(error)
                self._files.remove(entry)
                place.close()
                self._spread(queues, [], now + ahead_s)
                for queue in queues:
                    self._heed(queue, [], now, ahead_s)

    # -- what others tell ------------------------------------------------------------------------

    def _heed(self, queue: ModelQueue, others: list[Notice], now: float, ahead_s: float) -> None:
        clock = now + ahead_s
        going = [one for one in others if one.fresh(clock)]
        share = 1 / (1 + sum(one.wants for one in going))
        queue.runs = 1 + len(going)
        queue.buckets.set_share(share, now)
        queue.rate.share = share
        paces = [one.limit_per_s for one in going if one.wants]
        queue.rate.elsewhere_per_s = sum(paces) * share if all(paces) else None
        known = [one for one in others if 0 <= clock - one.at < shared_usage_file.KNOWN_S]
        # What a run counted when it last told has left the minute since, evenly.
        left = ((one.taken, max(0.0, 1 - (clock - one.at) / WINDOW_S)) for one in known)
        queue.rate.taken_elsewhere = sum(taken * part for taken, part in left)
        if not known:
            return
        newest = max(known, key=lambda one: one.limited_at)
        if newest.limited_at > 0:
            at, since = newest.limited_at - ahead_s, newest.since - ahead_s
            queue.rate.adopt(at, newest.limit_per_s, since)
        for kind in shared_usage_file.KINDS:
            bucket = _known(kind, known, [one for one in going if kind in one.buckets], share, now, ahead_s)
            if bucket is not None:
                queue.buckets.adopt(kind, bucket)

    def _spread(self, queues: list[ModelQueue], others: list[Notice], clock: float) -> None:
        """The places of each endpoint are shared with those who ask any of its models."""
        endpoints: dict[int, Endpoint] = {id(queue.endpoint): queue.endpoint for queue in queues}
        for endpoint in endpoints.values():
            hashes = {queue.model_hash for queue in endpoint.queues}
            asking = {one.who for one in others if one.model in hashes and one.wants and one.fresh(clock)}
            endpoint.limiter.share = 1 / (1 + len(asking))

    # -- what it tells ---------------------------------------------------------------------------

    def _notice(self, queue: ModelQueue, now: float, ahead_s: float, *, here: bool, begins: bool) -> Notice:
        limiter = queue.rate
        limited = limiter.pace_per_s < inf
        return Notice(
            who=self._who,
            model=queue.model_hash,
            pid=os.getpid(),
            here=here,
            wants=begins or bool(queue.queued or queue.waiting),
            at=now + ahead_s,
            limited_at=limiter.limited_at + ahead_s if limited and limiter.found_here else -1.0,
            limit_per_s=limiter.pace_per_s if limited else 0.0,
            since=limiter.since + ahead_s if limiter.since > -inf else -1.0,
            taken=limiter.taken_of_late(now),
            buckets={
                kind: (one.capacity, one.level_at(now), one.per_s)
                for kind, one in queue.buckets.told().items()
            },
        )


def _known(
    kind: str, known: list[Notice], going: list[Notice], share: float, now: float, ahead_s: float
) -> Bucket | None:
    """This run's share of a bucket that others know: of what they have left, or had when they ended.

    Of requests only one, where others go on: the answer will tell what they have left since they told.
    """
    telling = going or [one for one in known if kind in one.buckets]
    if not telling:
        return None
    newest = max(telling, key=lambda one: one.at)
    capacity, level, per_s = newest.buckets[kind]
    if going:
        level = sum(one.buckets[kind][1] for one in going)
        level = min(level, 1 / share) if kind == "requests" else level
    else:
        level += (now + ahead_s - newest.at) * per_s
    return Bucket(capacity, min(capacity, level) * share, per_s, now)


def _say(error: Exception) -> None:
    why = getattr(error, "strerror", None) or type(error).__name__
    if why not in _alone:
        _alone.add(why)
        log.warning(
            "limits are not shared with this machine's other runs: labkit's cache folder cannot be used (%s)",
            why,
        )
