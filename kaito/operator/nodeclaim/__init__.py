"""Karpenter's NodeClaim lifecycle over the provider interface: launch, register, initialize, terminate, collect
garbage.
"""

from kaito.operator.nodeclaim.controllers import add_nodeclaim_controllers
from kaito.operator.nodeclaim.settings import NodeClaimSettings

__all__ = ["NodeClaimSettings", "add_nodeclaim_controllers"]
