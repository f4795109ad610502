"""The suite that every provider has to pass.

A contributor writes one fixture and one class:

    class TestMyProvider(ProviderContract):
        @pytest.fixture
        def world(self) -> ContractWorld:
            return ContractWorld(new_provider=..., advance=..., instance_type="Standard_NC6s_v3", client=...)

Cases are gated by the provider's Capabilities; what is left out is reported as skipped, with the flag that is missing.
"""

from kaito.providers.contract.lifecycle import LifecycleContract
from kaito.providers.contract.troubles import TroubleContract
from kaito.providers.contract.world import ContractWorld


class ProviderContract(LifecycleContract, TroubleContract):
    """All cases."""


__all__ = ["ContractWorld", "LifecycleContract", "ProviderContract", "TroubleContract"]
