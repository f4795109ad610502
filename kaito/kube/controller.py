"""Controllers: keys in, reconciles out, with retries; and the mappings from a changed object to keys."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kaito.kube.clock import Clock, SystemClock
from kaito.kube.errors import ApiError, Conflict, Unreachable
from kaito.kube.informer import Change, Informer
from kaito.kube.objects import Key, controller_of, key_of
from kaito.kube.workqueue import BASE_DELAY, MAX_DELAY, WorkQueue

logger = logging.getLogger(__name__)

__all__ = ["Controller", "Key", "Permanent", "Result", "Temporary", "keys_of_labels", "owner_of"]


@dataclass(frozen=True)
class Result:
    """How a reconcile ended. `requeue_after`: seconds until it wants to look again; None waits for the next change."""

    requeue_after: float | None = None


class Temporary(Exception):
    """Raised by a reconcile that should be tried again: after `delay` seconds, or with the queue's back-off."""

    def __init__(self, message: str, delay: float | None = None) -> None:
        super().__init__(message)
        self.delay = delay


class Permanent(Exception):
    """Raised by a reconcile that no retry can help; the key rests until something changes."""


KeyMap = Callable[[dict[str, Any]], Iterable[Key]]
Reconcile = Callable[[Key], Awaitable[Result | None]]


def owner_of(kind: str, *, group: str = "") -> KeyMap:
    """Maps an object to the key of its controller owner, when that is of `kind` (and `group`)."""

    def keys(obj: dict[str, Any]) -> Iterable[Key]:
        owner = controller_of(obj)
        if owner and owner["kind"] == kind and (not group or owner["apiVersion"].startswith(f"{group}/")):
            yield Key(obj["metadata"].get("namespace") or "", owner["name"])

    return keys


def keys_of_labels(name_label: str, namespace_label: str | None = None) -> KeyMap:
    """Maps an object to the key that its labels name, in its own namespace unless a label names another."""

    def keys(obj: Mapping[str, Any]) -> Iterable[Key]:
        labels = obj["metadata"].get("labels") or {}
        name = labels.get(name_label)
        namespace = labels.get(namespace_label) if namespace_label else obj["metadata"].get("namespace")
        if name and namespace is not None:
            yield Key(namespace, name)

    return keys


class Controller:
    """Runs `reconcile(key)` for every key its queue is given, at most once at a time for a key.

    A reconcile that raises is tried again with exponential back-off, except `Permanent`. Conflicts and lost
    connections are ordinary and are logged quietly.
    """

    def __init__(
        self,
        name: str,
        reconcile: Reconcile,
        *,
        workers: int = 4,
        clock: Clock | None = None,
        base_delay: float = BASE_DELAY,
        max_delay: float = MAX_DELAY,
    ) -> None:
        self.name = name
        self.informers: list[Informer] = []
        """The informers it was told to watch; their first lists are awaited before any reconcile runs."""
        self.queue: WorkQueue[Key] = WorkQueue(clock=clock or SystemClock(), base_delay=base_delay, max_delay=max_delay)
        self.reconciles = 0
        """How many reconciles have been started."""
        self._reconcile = reconcile
        self._workers = workers

    def watches(self, informer: Informer, keys: KeyMap | None = None) -> None:
        """Queue the keys that `keys` gives for every changed object (its own key by default).

        The keys of the object before the change are queued too, so that a parent hears of a child it lost.
        """
        self.informers.append(informer)

        def enqueue(change: Change) -> None:
            for obj in (change.object, change.old):
                if obj is not None:
                    for key in keys(obj) if keys else (key_of(obj),):
                        self.queue.add(key)

        informer.add_handler(enqueue)

    async def run(self) -> None:
        """Work until cancelled."""
        await asyncio.gather(*(informer.synced.wait() for informer in self.informers))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.queue.run_timers(), name=f"{self.name} timers")
            for number in range(self._workers):
                tasks.create_task(self._work(), name=f"{self.name} worker {number}")

    async def _work(self) -> None:
        while True:
            key = await self.queue.get()
            try:
                await self.process(key)
            finally:
                self.queue.done(key)
            # A reconcile that asks for itself again without ever waiting would keep everybody else from running.
            await asyncio.sleep(0)

    async def process(self, key: Key) -> None:
        """One reconcile with its outcome put back into the queue; never raises but for cancellation."""
        self.reconciles += 1
        try:
            result = await self._reconcile(key)
        except Temporary as error:
            if error.delay is None:
                delay = self.queue.add_rate_limited(key)
            else:
                delay = error.delay
                self.queue.add_after(key, delay)
            logger.info("%s %s: %s; again in %.2f s", self.name, key, error, delay)
        except Permanent as error:
            self.queue.forget(key)
            logger.warning("%s %s: %s", self.name, key, error)
        except (Conflict, Unreachable) as error:
            self.queue.add_rate_limited(key)
            logger.debug("%s %s: %s", self.name, key, error.message)
        except ApiError as error:
            delay = self.queue.add_rate_limited(key)
            level = logging.DEBUG if error.namespace_terminating else logging.WARNING
            logger.log(level, "%s %s: %s; again in %.2f s", self.name, key, error.message, delay)
        except Exception:
            delay = self.queue.add_rate_limited(key)
            logger.exception("%s %s failed; again in %.2f s", self.name, key, delay)
        else:
            self.queue.forget(key)
            if result is not None and result.requeue_after is not None:
                self.queue.add_after(key, result.requeue_after)
