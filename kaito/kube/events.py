"""Recording core/v1 Events about objects, repeats counted on one Event as client-go's recorder does."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Literal

from kaito.kube.client import KubeClient
from kaito.kube.clock import Clock, SystemClock
from kaito.kube.errors import ApiError, NotFound, Unreachable
from kaito.kube.objects import format_micro_time, format_time
from kaito.kube.resources import EVENTS

logger = logging.getLogger(__name__)

EventType = Literal["Normal", "Warning"]
MESSAGE_LIMIT = 1024
"""Characters of an Event's message the API server accepts."""
REMEMBERED = 4096
"""How many different events are remembered for counting repeats."""


class EventRecorder:
    """Writes Events in the background; a failure to write one is logged and never raised.

    With an ``instance`` (of the reporting component) they have the form of those that came through events.k8s.io, as
    kube-scheduler's: ``eventTime`` and ``series`` in place of source, first and last time and count.
    """

    def __init__(
        self, client: KubeClient, component: str, clock: Clock | None = None, *, host: str = "", instance: str = ""
    ) -> None:
        self._client = client
        self._component = component
        self._host = host
        self._instance = instance
        self._clock: Clock = clock or SystemClock()
        self._seen: OrderedDict[tuple[str, ...], dict[str, Any]] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._serial = itertools.count()
        self._locks: dict[tuple[str, ...], asyncio.Lock] = {}

    def event(
        self,
        obj: Mapping[str, Any],
        kind: EventType,
        reason: str,
        message: str,
        *,
        field_path: str = "",
        action: str = "",
        related: Mapping[str, Any] | None = None,
    ) -> None:
        """Record that something happened to `obj`; returns at once."""
        reference = _reference(obj)
        if field_path:
            reference["fieldPath"] = field_path
        more: dict[str, Any] = {"action": action} if action else {}
        if related is not None:
            more["related"] = _reference(related)
        task = asyncio.create_task(self._record(reference, kind, reason, message, more))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def flush(self) -> None:
        """Wait until everything recorded so far is written."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def _record(
        self, reference: dict[str, Any], kind: EventType, reason: str, message: str, more: dict[str, Any]
    ) -> None:
        message = message[:MESSAGE_LIMIT]
        identity = (
            reference["kind"],
            reference.get("namespace", ""),
            reference["name"],
            reference.get("uid", ""),
            reference.get("fieldPath", ""),
            kind,
            reason,
            message,
        )
        lock = self._locks.setdefault(identity, asyncio.Lock())
        try:
            async with lock:
                what = {"involvedObject": reference, "reason": reason, "message": message, "type": kind}
                await self._write(identity, reference, what | more)
        except ApiError as error:
            # A namespace that goes away and a server that is not there are told elsewhere, and often.
            expected = isinstance(error, Unreachable) or error.namespace_terminating
            level = logging.DEBUG if expected else logging.WARNING
            logger.log(level, "event %s about %s not recorded: %s", reason, reference["name"], error.message)
        finally:
            if not lock.locked():
                self._locks.pop(identity, None)

    async def _write(self, identity: tuple[str, ...], reference: dict[str, Any], what: dict[str, Any]) -> None:
        now = format_time(self._clock.now())
        precise = format_micro_time(self._clock.now())
        namespace = reference.get("namespace") or "default"
        known = self._seen.get(identity)
        if known is not None:
            count = known["count"] + 1
            patch: dict[str, Any] = {"count": count, "lastTimestamp": now}
            if self._instance:
                patch = {"series": {"count": count, "lastObservedTime": precise}}
            try:
                await self._client.patch(EVENTS, known["metadata"]["name"], patch, namespace, kind="strategic")
            except NotFound:
                del self._seen[identity]
            else:
                self._seen[identity] = known | {"count": count}
                self._seen.move_to_end(identity)
                return
        # Named as client-go does, so that events of one second sort in the order they were recorded.
        moment = int(self._clock.now().timestamp() * 1e9) + next(self._serial)
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{reference['name'][:230]}.{moment:x}", "namespace": namespace},
            **what,
            "reportingComponent": self._component,
        }
        if self._instance:
            event |= {"source": {}, "eventTime": precise, "reportingInstance": self._instance}
        else:
            source = {"component": self._component} | ({"host": self._host} if self._host else {})
            event |= {
                "source": source,
                "firstTimestamp": now,
                "lastTimestamp": now,
                "count": 1,
                "eventTime": None,
                "reportingInstance": self._host,
            }
        await self._client.create(EVENTS, event)
        self._seen[identity] = {"metadata": event["metadata"], "count": 1}
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)


def _reference(obj: Mapping[str, Any]) -> dict[str, Any]:
    metadata = obj["metadata"]
    reference = {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": metadata["name"],
        "namespace": metadata.get("namespace") or "",
        "uid": metadata.get("uid", ""),
        "resourceVersion": metadata.get("resourceVersion", ""),
    }
    return {key: value for key, value in reference.items() if value}
