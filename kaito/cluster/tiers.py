"""From a tier's name to its cluster."""

from __future__ import annotations

from kaito.cluster.base import TIERS, Cluster, ClusterError, ClusterOptions
from kaito.cluster.folders import ClusterFolder


def create_cluster(tier: str, folder: ClusterFolder, options: ClusterOptions) -> Cluster:
    """A cluster of that tier, not yet started; ClusterError when this machine lacks what the tier needs."""
    # Imported here: a tier's machinery costs import time that `kaito --help` must not pay.
    if tier == "embedded":
        from kaito.cluster.embedded import EmbeddedCluster

        return EmbeddedCluster(folder, options)
    if tier == "envtest":
        from kaito.cluster.envtest import EnvtestCluster

        return EnvtestCluster(folder, options)
    raise ClusterError(f"{tier!r} is not a cluster tier; choose one of: {', '.join(TIERS)}")


def missing_for(tier: str) -> str | None:
    """Why a tier cannot run on this machine, in one sentence; None when it can."""
    if tier == "envtest":
        from kaito.cluster.binaries import missing_assets

        return missing_assets()
    return None
