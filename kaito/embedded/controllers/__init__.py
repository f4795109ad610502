"""The workload and housekeeping controllers of a cluster that brings none, as kube-controller-manager 1.34 has them.

Plain API clients: they run against the embedded API server and against a real kube-apiserver alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from kaito.kube.manager import Manager

if TYPE_CHECKING:
    from kaito.embedded.controllers.kinds import Kinds

__all__ = ["CONTROLLERS", "add_controllers"]

CONTROLLERS = (
    "serviceaccount",
    "root-ca-certificate-publisher",
    "namespace",
    "garbage-collector",
    "deployment",
    "replicaset",
    "statefulset",
    "daemonset",
    "job",
    "cronjob",
    "ttl-after-finished",
    "endpoint",
    "endpointslice",
    "persistentvolume-binder",
    "persistentvolume-protection",
    "disruption",
    "node-lifecycle",
    "pod-garbage-collector",
)
"""Every controller by the name that kube-controller-manager gives it, in starting order."""


def add_controllers(
    manager: Manager,
    *,
    names: Iterable[str] = CONTROLLERS,
    service_account_ca: bytes,
    volumes_root: Path,
    job_backoff_seconds: float = 10.0,
) -> None:
    """Run the named controllers with `manager`; ValueError for a name that does not exist.

    `service_account_ca` is the PEM that pods trust the API server by, `volumes_root` the folder under which the
    directories of provisioned volumes are made, `job_backoff_seconds` the wait before a failed pod of a Job is
    replaced (it doubles with each failure).
    """
    names = list(names)
    unknown = [name for name in names if name not in CONTROLLERS]
    if unknown:
        raise ValueError(f"there is no controller {unknown[0]!r}; there are {', '.join(CONTROLLERS)}")
    makers = _makers(manager, service_account_ca, volumes_root, job_backoff_seconds)
    for name in CONTROLLERS:
        if name in names:
            makers[name]()


def _makers(
    manager: Manager, service_account_ca: bytes, volumes_root: Path, job_backoff_seconds: float
) -> dict[str, Callable[[], object]]:
    from kaito.embedded.controllers.cluster import Cluster
    from kaito.embedded.controllers.cronjobs import CronJobs
    from kaito.embedded.controllers.daemonsets import DaemonSets
    from kaito.embedded.controllers.deployments import Deployments
    from kaito.embedded.controllers.disruption import Disruption
    from kaito.embedded.controllers.endpoint_slices import EndpointSlices
    from kaito.embedded.controllers.endpoints import Endpoints
    from kaito.embedded.controllers.garbage_collection import GarbageCollector
    from kaito.embedded.controllers.job_expiry import JobExpiry
    from kaito.embedded.controllers.jobs import Jobs
    from kaito.embedded.controllers.kinds import Kinds
    from kaito.embedded.controllers.namespaces import Namespaces
    from kaito.embedded.controllers.nodes import NodeLifecycle
    from kaito.embedded.controllers.pod_collection import PodCollection
    from kaito.embedded.controllers.replicasets import ReplicaSets
    from kaito.embedded.controllers.service_accounts import DefaultServiceAccounts, RootCertificates
    from kaito.embedded.controllers.statefulsets import StatefulSets
    from kaito.embedded.controllers.volume_binding import VolumeBinding
    from kaito.embedded.controllers.volume_directories import VolumeDirectories, add_default_class
    from kaito.embedded.controllers.volume_protection import VolumeProtection

    cluster = Cluster(manager)
    kinds: list[Kinds] = []

    def shared_kinds() -> Kinds:
        if not kinds:
            kinds.append(Kinds(cluster))
        return kinds[0]

    def volumes() -> None:
        add_default_class(cluster)
        VolumeBinding(cluster, VolumeDirectories(volumes_root))

    return {
        "serviceaccount": lambda: DefaultServiceAccounts(cluster),
        "root-ca-certificate-publisher": lambda: RootCertificates(cluster, service_account_ca),
        "namespace": lambda: Namespaces(cluster, shared_kinds()),
        "garbage-collector": lambda: GarbageCollector(cluster, shared_kinds()),
        "deployment": lambda: Deployments(cluster),
        "replicaset": lambda: ReplicaSets(cluster),
        "statefulset": lambda: StatefulSets(cluster),
        "daemonset": lambda: DaemonSets(cluster),
        "cronjob": lambda: CronJobs(cluster),
        "job": lambda: Jobs(cluster, backoff_seconds=job_backoff_seconds),
        "ttl-after-finished": lambda: JobExpiry(cluster),
        "endpoint": lambda: Endpoints(cluster),
        "endpointslice": lambda: EndpointSlices(cluster),
        "persistentvolume-binder": volumes,
        "persistentvolume-protection": lambda: VolumeProtection(cluster),
        "disruption": lambda: Disruption(cluster),
        "node-lifecycle": lambda: NodeLifecycle(cluster),
        "pod-garbage-collector": lambda: PodCollection(cluster),
    }
