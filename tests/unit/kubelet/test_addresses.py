"""API addresses of pods and the loopback addresses they stand for."""

from hypothesis import given
from hypothesis import strategies as st

from kaito.embedded.addresses import POD_NETWORK, SOCKET_NETWORK, pod_address, socket_address

hosts = st.integers(min_value=0, max_value=POD_NETWORK.num_addresses - 1)


@given(hosts)
def test_a_pod_address_survives_the_way_to_its_socket_and_back(index):
    address = str(POD_NETWORK[index])
    assert socket_address(address) == str(SOCKET_NETWORK[index])
    assert pod_address(socket_address(address)) == address


def test_addresses_outside_the_pod_network_are_their_own_sockets():
    for address in ("127.0.0.1", "10.243.255.255", "192.168.0.1", "example.com", "::1", ""):
        assert socket_address(address) == address
        assert pod_address(address) == address
