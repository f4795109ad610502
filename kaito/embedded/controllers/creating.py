"""Creating and deleting many pods for one owner, with kube-controller-manager's events."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from kaito.embedded.controllers.caching import Cache, Object
from kaito.kube.errors import ApiError
from kaito.kube.events import EventRecorder

BURST = 500
"""Pods made or ended in one reconcile at most."""


class PodControl:
    """Creates and deletes the pods of owners and records it."""

    def __init__(self, pods: Cache, events: EventRecorder) -> None:
        self.pods, self._events = pods, events

    async def create(self, owner: Object, pod: Object) -> Object:
        """Create one pod; a refusal is recorded as FailedCreate and raised."""
        try:
            created = await self.pods.create(pod)
        except ApiError as error:
            if not error.namespace_terminating:
                self._events.event(owner, "Warning", "FailedCreate", f"Error creating: {error.message}")
            raise
        self._events.event(owner, "Normal", "SuccessfulCreate", f"Created pod: {created['metadata']['name']}")
        return created

    async def create_all(self, owner: Object, pods: Sequence[Object]) -> ApiError | None:
        """Create pods in batches of 1, 2, 4, …; the first error ends it after its batch and is returned.

        A template that is refused is so refused once and not once a replica (client-go's slowStartBatch). In a
        terminating namespace every create fails, and that is no error.
        """
        done, size = 0, 1
        while done < len(pods):
            batch = pods[done : done + size]
            results = await asyncio.gather(*(self.create(owner, pod) for pod in batch), return_exceptions=True)
            errors = [result for result in results if isinstance(result, BaseException)]
            for error in errors:
                if not isinstance(error, ApiError):
                    raise error
            if errors:
                first = errors[0]
                assert isinstance(first, ApiError)
                return None if first.namespace_terminating else first
            done, size = done + len(batch), size * 2
        return None

    async def delete(self, owner: Object, pod: Object) -> None:
        """Delete one pod; a refusal is recorded as FailedDelete and raised."""
        try:
            await self.pods.delete(pod)
        except ApiError as error:
            self._events.event(owner, "Warning", "FailedDelete", f"Error deleting: {error.message}")
            raise
        self._events.event(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")

    async def delete_all(self, owner: Object, pods: Sequence[Object]) -> None:
        """Delete pods side by side; the first refusal is raised after all were tried."""
        results = await asyncio.gather(*(self.delete(owner, pod) for pod in pods), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
