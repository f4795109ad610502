"""A scheduler for the tiers that bring none: kube-scheduler 1.34's filters and words, as a plain API client."""

from __future__ import annotations

from kaito.kube.manager import Manager

__all__ = ["add_scheduler"]


def add_scheduler(manager: Manager) -> None:
    """Run the scheduler with `manager`. It binds pods whose `schedulerName` is `default-scheduler`."""
    from kaito.embedded.scheduler.scheduling import Scheduler

    manager.add(Scheduler(manager).controller)
