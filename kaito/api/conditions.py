"""Condition types, reasons and states, as Kaito 0.12 and Karpenter v1 spell them.

`WorkspaceReady` is this project's: see `docs/deviations.md`.
"""

from __future__ import annotations

from typing import Final

# Workspace condition types.
NODES_READY: Final = "NodesReady"
NODE_CLAIM_READY: Final = "NodeClaimReady"
RESOURCE_READY: Final = "ResourceReady"
INFERENCE_READY: Final = "InferenceReady"
JOB_STARTED: Final = "JobStarted"
WORKSPACE_SUCCEEDED: Final = "WorkspaceSucceeded"
WORKSPACE_READY: Final = "WorkspaceReady"
WORKSPACE_DELETING: Final = "WorkspaceDeleting"

# Workspace states (`status.state`).
STATE_PENDING: Final = "Pending"
STATE_READY: Final = "Ready"
STATE_NOT_READY: Final = "NotReady"
STATE_RUNNING: Final = "Running"
STATE_SUCCEEDED: Final = "Succeeded"
STATE_FAILED: Final = "Failed"

# Workspace reasons.
REASON_NODES_READY: Final = "NodesReady"
REASON_NODE_NOT_READY: Final = "NodeNotReady"
REASON_NODE_PLUGINS_NOT_READY: Final = "NodePluginsNotReady"
REASON_NODE_CLAIMS_READY: Final = "NodeClaimsReady"
REASON_NODE_CLAIM_NOT_READY: Final = "NodeClaimNotReady"
REASON_RESOURCE_SUCCESS: Final = "workspaceResourceStatusSuccess"
REASON_RESOURCE_NOT_READY: Final = "workspaceResourceStatusNotReady"
REASON_INFERENCE_SUCCESS: Final = "WorkspaceInferenceStatusSuccess"
REASON_INFERENCE_PENDING: Final = "WorkspaceInferenceStatusPending"
REASON_JOB_STARTED: Final = "WorkspaceTuningJobStatusStarted"
REASON_JOB_PENDING: Final = "WorkspaceTuningJobStatusPending"
REASON_JOB_FAILED: Final = "WorkspaceTuningJobStatusFailed"
REASON_SUCCEEDED: Final = "workspaceSucceeded"
REASON_PENDING: Final = "workspacePending"
REASON_FAILED: Final = "workspaceFailed"
REASON_DELETED: Final = "workspaceDeleted"

# NodeClaim condition types (Karpenter v1).
LAUNCHED: Final = "Launched"
REGISTERED: Final = "Registered"
INITIALIZED: Final = "Initialized"
READY: Final = "Ready"
DRAINED: Final = "Drained"
INSTANCE_TERMINATING: Final = "InstanceTerminating"
AWAITING_RECONCILIATION: Final = "AwaitingReconciliation"
