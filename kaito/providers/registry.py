"""Providers by name: entry points of the group `kaito.providers`, loaded when one is asked for.

A plugin that is broken is reported where providers are listed and never keeps others from working.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from kaito.providers.interface import Provider, ProviderSettings
from kaito.providers.types import PROVIDER_API_VERSION

GROUP = "kaito.providers"

ProviderFactory = Callable[[ProviderSettings], Provider]


class ProviderLoadError(Exception):
    """A provider cannot be had; the message names it, what is wrong, and what to do."""


@dataclass(frozen=True)
class Registration:
    """One registered name, not loaded yet. `problem` is empty, or why the name cannot be used."""

    name: str
    distribution: str
    value: str
    problem: str = ""


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "an unknown distribution"


def _points(points: Iterable[EntryPoint] | None) -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP) if points is None else points:
        twins = found.setdefault(point.name, [])
        # The same distribution can be on the path twice (an editable install beside its build folder).
        if not any((twin.value, _distribution(twin)) == (point.value, _distribution(point)) for twin in twins):
            twins.append(point)
    return found


def registrations(points: Iterable[EntryPoint] | None = None, *, load: bool = False) -> list[Registration]:
    """All registered providers by name; `load=True` imports each to find broken ones (for `providers list`)."""
    result = []
    for name, twins in sorted(_points(points).items()):
        problem = ""
        try:
            point = _only(name, twins)
            if load:
                _factory(point)
        except ProviderLoadError as error:
            problem, point = str(error), twins[0]
        result.append(Registration(name, _distribution(point), point.value, problem))
    return result


def _only(name: str, twins: list[EntryPoint]) -> EntryPoint:
    if len(twins) > 1:
        names = " and ".join(sorted(_distribution(twin) for twin in twins))
        raise ProviderLoadError(f"provider {name!r} is registered by {names}: uninstall one of them")
    return twins[0]


def _factory(point: EntryPoint) -> ProviderFactory:
    try:
        factory: ProviderFactory = point.load()
    except Exception as error:
        raise ProviderLoadError(
            f"provider {point.name!r} of {_distribution(point)} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not callable(factory):
        raise ProviderLoadError(f"provider {point.name!r} of {_distribution(point)}: {point.value} is not callable")
    return factory


def create_provider(name: str, settings: ProviderSettings, points: Iterable[EntryPoint] | None = None) -> Provider:
    """The provider registered as `name`, made with `settings`; raises ProviderLoadError. Does not start it."""
    found = _points(points)
    if name not in found:
        known = ", ".join(sorted(found)) or "none is installed"
        raise ProviderLoadError(f"there is no provider {name!r}; known: {known}")
    point = _only(name, found[name])
    try:
        provider = _factory(point)(settings)
    except ProviderLoadError:
        raise
    except Exception as error:
        raise ProviderLoadError(f"provider {name!r} refused its settings: {error}") from error
    written_for = provider.info.api_version
    if written_for != PROVIDER_API_VERSION:
        raise ProviderLoadError(
            f"provider {name!r} of {_distribution(point)} was written for provider API {written_for}, this is "
            f"{PROVIDER_API_VERSION}: install a matching version"
        )
    return provider
