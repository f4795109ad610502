"""Typed models of the custom resources: the single source of the CRD schemas in `kaito/api/crds`."""

from kaito.api.models.inferenceset import InferenceSet, InferenceSetV1Alpha1
from kaito.api.models.nodeclaim import NodeClaim
from kaito.api.models.workspace import Workspace, WorkspaceV1Alpha1

__all__ = ["InferenceSet", "InferenceSetV1Alpha1", "NodeClaim", "Workspace", "WorkspaceV1Alpha1"]
