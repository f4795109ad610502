"""What can be known to be wrong before anything of a cluster has been started."""

from __future__ import annotations

from kaito.cluster.base import ClusterError, ClusterOptions
from kaito.cluster.tiers import missing_for
from kaito.embedded.kubelet.images import ImageTable, ImageTableError
from kaito.providers.registry import registrations


def check_startable(tier: str, options: ClusterOptions) -> None:
    """ValueError for an option that no cluster can be started with, ClusterError where this machine lacks the tier."""
    if options.images is not None:
        try:
            ImageTable.load(options.images)
        except ImageTableError as error:
            raise ValueError(f"--images: {error}") from error
    known = [registration.name for registration in registrations()]
    if options.provider not in known:
        raise ValueError(f"--provider {options.provider}: there is no such provider; choose one of: {', '.join(known)}")
    missing = missing_for(tier)
    if missing:
        raise ClusterError(missing)
