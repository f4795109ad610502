"""Which ClusterIPs a cluster hands out, so that several clusters live on one machine."""

from __future__ import annotations

import errno
import socket
from ipaddress import IPv4Network

from kaito.cluster.base import ClusterError
from kaito.cluster.folders import ClusterFolder
from kaito.embedded.addresses import SERVICE_NETWORK

PREFIX = 22
"""Bits of one cluster's part of the service network: 1,022 services, 64 clusters."""
API_PORT = 443


def claim_service_network(folder: ClusterFolder) -> str:
    """The cluster's service network: the one it had before, or the first that no running cluster listens in.

    A cluster listens on the first address of its network (the Service `kubernetes`), which is how others see it.
    ClusterError when all are taken.
    """
    kept = folder.settings().get("service_network")
    if kept:
        return str(kept)
    for network in SERVICE_NETWORK.subnets(new_prefix=PREFIX):
        if _is_free(network):
            folder.remember(service_network=str(network))
            return str(network)
    raise ClusterError(f"every part of {SERVICE_NETWORK} is used by a running cluster; stop one with: kaito down")


def _is_free(network: IPv4Network) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((str(network[1]), API_PORT))
        except OSError as error:
            # Without the right to bind low ports nobody listens there: the proxy on a high port keeps clusters apart.
            return error.errno in (errno.EACCES, errno.EPERM)
    return True
