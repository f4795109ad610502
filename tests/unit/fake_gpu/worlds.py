"""A fake cloud over the in-memory client, in virtual time."""

from __future__ import annotations

from typing import Any

from kaito_fake_gpu.provider import create_provider

from kaito.kube.clock import VirtualClock
from kaito.kube.fake import FakeClient
from kaito.providers import Provider, ProviderSettings
from kaito.providers.contract import ContractWorld


def fake_world(wrap: Any = None, **defaults: Any) -> ContractWorld:
    """`wrap` may put something around each new provider; `defaults` are options."""
    clock = VirtualClock()
    client = FakeClient(clock=clock)

    def new_provider(*, slow: bool = False, **options: Any) -> Provider:
        chosen = {"substrate": "simulated", "provision_seconds": 600 if slow else 20, "plugin_seconds": 10}
        provider: Provider = create_provider(
            ProviderSettings(client=client, clock=clock, options={**chosen, **defaults, **options})
        )
        return wrap(provider) if wrap else provider

    return ContractWorld(
        new_provider=new_provider, advance=clock.advance, instance_type="Standard_NC6s_v3", client=client, patience=3600
    )
