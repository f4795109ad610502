"""The fake-gpu provider keeps the provider contract, with delays and without."""

from __future__ import annotations

import pytest

from kaito.providers.contract import ContractWorld, ProviderContract
from tests.unit.fake_gpu.worlds import fake_world


class TestFakeGpuProvider(ProviderContract):
    @pytest.fixture
    def world(self) -> ContractWorld:
        return fake_world()


class TestFakeGpuProviderWithSlowDeletion(ProviderContract):
    @pytest.fixture
    def world(self) -> ContractWorld:
        return fake_world(deprovision_seconds=40)
