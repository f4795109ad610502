"""GPU node providers: the interface, its types and errors, and how a provider is found.

How to write one: implement `Provider`, register a factory in the entry point group `kaito.providers`, and let
`kaito.providers.contract.ProviderContract` run against it.
"""

from kaito.providers.faults import Fault, FaultInjectable, FaultKind
from kaito.providers.interface import Provider, ProviderSettings
from kaito.providers.registry import ProviderLoadError, create_provider, registrations
from kaito.providers.types import (
    PROVIDER_API_VERSION,
    Capabilities,
    LastError,
    NodeRecord,
    NodeRequest,
    NodeState,
    Owner,
    ProviderInfo,
    RepairPolicy,
    SkuOffer,
    Taint,
)

__all__ = [
    "PROVIDER_API_VERSION",
    "Capabilities",
    "Fault",
    "FaultInjectable",
    "FaultKind",
    "LastError",
    "NodeRecord",
    "NodeRequest",
    "NodeState",
    "Owner",
    "Provider",
    "ProviderInfo",
    "ProviderLoadError",
    "ProviderSettings",
    "RepairPolicy",
    "SkuOffer",
    "Taint",
    "create_provider",
    "registrations",
]
