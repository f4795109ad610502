"""What services stand for."""

import pytest

from kaito.embedded.proxy.routes import Balancer, backends, dns_name, service_ports


def service(**spec):
    return {"metadata": {"name": "s", "namespace": "ns"}, "spec": {"clusterIP": "127.96.0.9", **spec}}


def test_every_port_is_listened_for_on_the_cluster_ip_and_its_node_port():
    http, other = service_ports(service(ports=[{"name": "http", "port": 80, "nodePort": 30080}, {"port": 81}]))
    assert http.listen == (("127.96.0.9", 80), ("127.0.0.1", 30080))
    assert (other.name, other.protocol, other.listen) == ("", "TCP", (("127.96.0.9", 81),))


@pytest.mark.parametrize("spec", [{"clusterIP": "None"}, {"clusterIP": ""}, {"type": "ExternalName"}])
def test_services_without_an_address_are_not_listened_for(spec):
    assert service_ports(service(ports=[{"port": 80}], **spec)) == []


def slice_of(*endpoints, port=8000, name="http", **more):
    return {"ports": [{"name": name, "port": port}], "endpoints": list(endpoints), **more}


def endpoint(address, **conditions):
    return {"addresses": [address], "conditions": conditions}


def test_backends_are_the_socket_addresses_of_ready_endpoints_of_the_port():
    slices = [
        slice_of(endpoint("10.244.1.2", ready=True), endpoint("10.244.1.3", ready=False)),
        slice_of(endpoint("10.244.1.4"), endpoint("10.244.1.2", ready=True)),
        slice_of(endpoint("10.244.1.5"), name="other"),
        slice_of(endpoint("::1"), addressType="IPv6"),
    ]
    assert backends("http", slices) == (("127.244.1.2", 8000), ("127.244.1.4", 8000))


def test_endpoints_that_still_serve_while_they_end_are_the_last_resort():
    ending = endpoint("10.244.1.3", ready=False, serving=True, terminating=True)
    assert backends("http", [slice_of(ending)]) == (("127.244.1.3", 8000),)
    assert backends("http", [slice_of(ending, endpoint("10.244.1.2", ready=True))]) == (("127.244.1.2", 8000),)


def test_backends_take_turns():
    balancer = Balancer((("a", 1), ("b", 1), ("c", 1)))
    firsts = [balancer.order("x", sticky_seconds=None, now=0)[0][0] for _ in range(4)]
    assert firsts == ["a", "b", "c", "a"]
    assert Balancer().order("x", sticky_seconds=None, now=0) == []


def test_a_client_sticks_to_its_backend_until_the_affinity_is_over_or_the_backend_gone():
    balancer = Balancer((("a", 1), ("b", 1)))
    first = balancer.order("x", sticky_seconds=10, now=0)[0]
    assert balancer.order("x", sticky_seconds=10, now=5)[0] == first
    assert balancer.order("x", sticky_seconds=10, now=14)[0] == first
    balancer.backends = (("b", 1),) if first == ("a", 1) else (("a", 1),)
    assert balancer.order("x", sticky_seconds=10, now=15)[0] != first


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("s", ("default", "s")),
        ("s.ns", ("ns", "s")),
        ("S.ns.svc", ("ns", "s")),
        ("s.ns.svc.cluster.local.", ("ns", "s")),
        ("a.b.c", None),
        ("", None),
        ("127.0.0.1", None),
    ],
)
def test_names_of_services(host, found):
    assert dns_name(host) == found
