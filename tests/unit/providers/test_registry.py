"""Providers are found by name, and a broken one harms nobody else."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from kaito_fake_gpu.provider import FakeGpuProvider

from kaito.kube.fake import FakeClient
from kaito.providers import Provider, ProviderInfo, ProviderLoadError, ProviderSettings, create_provider, registrations

GROUP = "kaito.providers"


@pytest.fixture
def plugin() -> Iterator[types.ModuleType]:
    """A module that entry points can name."""
    module = types.ModuleType("plugin_under_test")
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


def settings(**options: Any) -> ProviderSettings:
    return ProviderSettings(client=FakeClient(), options=options)


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group=GROUP)


def test_ours_is_registered_like_any_other() -> None:
    (ours,) = [one for one in registrations(load=True) if one.name == "fake-gpu"]
    assert (ours.distribution, ours.problem) == ("kaito-fake-gpu", "")
    assert isinstance(create_provider("fake-gpu", settings()), FakeGpuProvider)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ProviderLoadError, match=r"there is no provider 'nope'; known: .*fake-gpu"):
        create_provider("nope", settings())


def test_a_broken_plugin_is_reported_and_keeps_nobody_from_working() -> None:
    points = [point("broken", "no_such_module:factory"), point("fake-gpu", "kaito_fake_gpu.provider:create_provider")]
    listed = {one.name: one.problem for one in registrations(points, load=True)}
    assert "No module named 'no_such_module'" in listed["broken"]
    assert listed["fake-gpu"] == ""
    assert create_provider("fake-gpu", settings(), points).info.name == "fake-gpu"
    with pytest.raises(ProviderLoadError, match=r"'broken' of .* cannot be loaded"):
        create_provider("broken", settings(), points)


def test_listing_does_not_import_plugins() -> None:
    assert registrations([point("broken", "no_such_module:factory")])[0].problem == ""


def test_two_distributions_with_one_name_are_an_error_that_names_the_clash(plugin: types.ModuleType) -> None:
    points = [point("x", "plugin_under_test:one"), point("x", "plugin_under_test:two")]
    with pytest.raises(ProviderLoadError, match=r"provider 'x' is registered by .* and .*: uninstall one"):
        create_provider("x", settings(), points)
    assert "uninstall one" in registrations(points)[0].problem


def test_something_that_is_no_factory_is_refused(plugin: types.ModuleType) -> None:
    plugin.factory = 3  # type: ignore[attr-defined]
    with pytest.raises(ProviderLoadError, match="is not callable"):
        create_provider("x", settings(), [point("x", "plugin_under_test:factory")])


def test_a_provider_for_another_api_version_is_refused(plugin: types.ModuleType) -> None:
    class Old(FakeGpuProvider):
        @property
        def info(self) -> ProviderInfo:
            return super().info.model_copy(update={"api_version": 0})

    def factory(told: ProviderSettings) -> Provider:
        from kaito_fake_gpu.options import Options

        return Old(told, Options())

    plugin.factory = factory  # type: ignore[attr-defined]
    with pytest.raises(ProviderLoadError, match="written for provider API 0, this is 1"):
        create_provider("old", settings(), [point("old", "plugin_under_test:factory")])


def test_bad_options_are_refused_in_one_sentence() -> None:
    with pytest.raises(ProviderLoadError, match="'fake-gpu' refused its settings: option provision_seconds: "):
        create_provider("fake-gpu", settings(provision_seconds=-1))
    with pytest.raises(ProviderLoadError, match="option speed: Extra inputs are not permitted"):
        create_provider("fake-gpu", settings(speed=1))
