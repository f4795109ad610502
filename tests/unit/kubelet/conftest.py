"""A started kubelet on fakes."""

import pytest

from tests.unit.kubelet.world import World


@pytest.fixture
async def world(tmp_path):
    world = World(tmp_path / "kubelet")
    await world.start()
    yield world
    await world.stop()
