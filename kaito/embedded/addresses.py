"""Where pods and services of the embedded tier are to be found.

A real API server refuses loopback addresses in EndpointSlices, and an unprivileged process can listen on loopback
addresses only. So every pod has two addresses that differ in their first octet alone: the API shows ``10.244.a.b``
and the pod's processes listen on ``127.244.a.b``. ClusterIPs are loopback addresses from the start.
"""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv4Network

POD_NETWORK = IPv4Network("10.244.0.0/16")
"""Addresses of pods as the API shows them."""

SOCKET_NETWORK = IPv4Network("127.244.0.0/16")
"""Addresses on which the processes of pods listen."""

SERVICE_NETWORK = IPv4Network("127.96.0.0/16")
"""ClusterIPs; the service proxy listens on them."""

HOST_ADDRESS = "127.0.0.1"
"""InternalIP of every node that the process kubelet runs, and the address of its ``hostNetwork`` pods."""


def socket_address(pod_ip: str) -> str:
    """The address on which the processes of the pod at API address ``pod_ip`` listen.

    An address outside the pod network (a host, another cluster's pod) is its own socket address.
    """
    return _moved(pod_ip, POD_NETWORK, SOCKET_NETWORK)


def pod_address(socket_ip: str) -> str:
    """The API address of the pod whose processes listen on ``socket_ip``; inverse of `socket_address`."""
    return _moved(socket_ip, SOCKET_NETWORK, POD_NETWORK)


def _moved(text: str, source: IPv4Network, target: IPv4Network) -> str:
    try:
        address = IPv4Address(text)
    except AddressValueError:
        return text
    if address not in source:
        return text
    return str(target[int(address) - int(source.network_address)])
