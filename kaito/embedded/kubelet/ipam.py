"""Pod addresses: a /24 of the pod network for each node, unique across nodes, restarts and clusters of one machine."""

from __future__ import annotations

import os
import socket
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Protocol

from kaito.embedded.addresses import POD_NETWORK, socket_address

CLAIM_PORT = 10244
"""Port of the socket that marks a network as taken; its address is the first of the network."""


class NoAddressLeft(Exception):
    """Every address of the pod network is in use."""


class NetworkClaims(Protocol):
    """Who on this machine has which network."""

    def claim(self, network: IPv4Network) -> bool:
        """Take a network; False when somebody else has it."""
        ...

    def release(self, network: IPv4Network) -> None:
        """Give it back."""
        ...


class SocketClaims:
    """Claims by listening sockets: they end with the process that holds them, however it ends."""

    def __init__(self) -> None:
        self._held: dict[IPv4Network, socket.socket] = {}

    def claim(self, network: IPv4Network) -> bool:
        if network in self._held:
            return True
        listener = socket.socket()
        try:
            listener.bind((socket_address(str(network[1])), CLAIM_PORT))
            listener.listen(1)
        except OSError:
            listener.close()
            return False
        self._held[network] = listener
        return True

    def release(self, network: IPv4Network) -> None:
        if listener := self._held.pop(network, None):
            listener.close()

    def close(self) -> None:
        """Give all back."""
        for network in tuple(self._held):
            self.release(network)


class FreeClaims:
    """Claims of somebody who is alone: for tests, and for machines whose loopback has one address only."""

    def claim(self, network: IPv4Network) -> bool:
        return True

    def release(self, network: IPv4Network) -> None:
        return None


class AddressPool:
    """Hands out API addresses of pods.

    A node gets a network of its own by `network_of`; when none is left, its pods draw from the networks of the other
    nodes. An address comes back into use as late as possible. ``first`` is the number of the /24 tried first.
    """

    def __init__(self, claims: NetworkClaims, network: IPv4Network = POD_NETWORK, *, first: int | None = None) -> None:
        networks = list(network.subnets(new_prefix=24))
        start = (os.getpid() if first is None else first) % len(networks)
        self._networks = networks[start:] + networks[:start]
        self._claims = claims
        self._nodes: dict[str, IPv4Network] = {}
        self._used: dict[IPv4Address, str] = {}
        self._next: dict[IPv4Network, int] = {}

    def network_of(self, node: str, wanted: str | None = None) -> IPv4Network | None:
        """The node's network, claimed at the first call: the one with the address ``wanted`` if it is free."""
        if node in self._nodes:
            return self._nodes[node]
        taken = set(self._nodes.values())
        free = [network for network in self._networks if network not in taken]
        if wanted:
            free.sort(key=lambda network: IPv4Address(wanted) not in network)
        for network in free:
            if self._claims.claim(network):
                self._nodes[node] = network
                return network
        return None

    def forget_node(self, node: str) -> None:
        """Give a node's network back."""
        if network := self._nodes.pop(node, None):
            self._claims.release(network)

    def reserve(self, node: str, address: str, owner: str) -> bool:
        """Mark an address that a pod of ``node`` already has; False when it cannot keep it."""
        try:
            parsed = IPv4Address(address)
        except AddressValueError:
            return False
        network = self.network_of(node, address)
        if network is None or parsed not in network:
            return False
        return self._used.setdefault(parsed, owner) == owner

    def allocate(self, node: str, owner: str) -> str:
        """A free address for the pod with uid ``owner``. `NoAddressLeft`."""
        network = self.network_of(node)
        for candidate in [network] if network is not None else list(self._nodes.values()):
            address = self._free_in(candidate)
            if address is not None:
                self._used[address] = owner
                return str(address)
        raise NoAddressLeft(f"no free pod address left for node {node}")

    def release(self, address: str, owner: str) -> None:
        """Take an address back from its owner."""
        try:
            parsed = IPv4Address(address)
        except AddressValueError:
            return
        if self._used.get(parsed) == owner:
            del self._used[parsed]

    def _free_in(self, network: IPv4Network) -> IPv4Address | None:
        # The first is the network, the second holds the claim, the last is the broadcast address.
        usable = network.num_addresses - 3
        start = self._next.get(network, 0)
        for offset in range(usable):
            index = (start + offset) % usable
            address = network[2 + index]
            if address not in self._used:
                self._next[network] = index + 1
                return address
        return None
