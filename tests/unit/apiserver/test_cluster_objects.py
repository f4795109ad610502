"""Services' addresses, admission of pods, the hook, snapshots and restarts."""

import asyncio
from pathlib import Path

import pytest
import yaml

from kaito.embedded.apiserver.admission import AdmissionDecision, AdmissionRequest
from kaito.embedded.apiserver.kubeconfig import write_kubeconfig
from kaito.embedded.apiserver.server import ApiServerSettings
from kaito.embedded.apiserver.snapshot import SnapshotError, restore, save
from kaito.embedded.apiserver.store import Store
from tests.unit.apiserver.conftest import WIDGETS, Api, serving, widget

SERVICES = "/api/v1/namespaces/default/services"
PODS = "/api/v1/namespaces/default/pods"
POD = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}


def service(name: str, **spec: object) -> dict[str, object]:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **spec}}


async def test_services_get_different_addresses_and_ports_that_are_free_again_after_them(api: Api) -> None:
    one = (await api.post(SERVICES, service("one"))).body["spec"]
    two = (await api.post(SERVICES, service("two", type="NodePort"))).body["spec"]
    assert one["clusterIP"].startswith("127.96.")
    assert one["clusterIPs"] == [one["clusterIP"]]
    assert one["clusterIP"] != two["clusterIP"]
    assert two["ports"][0]["nodePort"] in range(30000, 32768)
    taken = await api.post(SERVICES, service("three", clusterIP=one["clusterIP"]))
    assert (taken.status, "provided IP is already allocated" in taken.message) == (422, True)
    assert (await api.post(SERVICES, service("four", clusterIP="10.0.0.1"))).status == 422
    port = {"ports": [{"port": 80, "nodePort": two["ports"][0]["nodePort"]}]}
    assert (await api.post(SERVICES, service("five", type="NodePort", **port))).status == 422
    await api.delete(f"{SERVICES}/one")
    again = await api.post(SERVICES, service("three", clusterIP=one["clusterIP"]))
    assert again.status == 201, again.body


async def test_headless_services_have_no_address(api: Api) -> None:
    spec = (await api.post(SERVICES, service("h", clusterIP="None"))).body["spec"]
    assert (spec["clusterIP"], spec["clusterIPs"]) == ("None", ["None"])


async def test_a_refused_or_dry_run_service_takes_no_address(api: Api) -> None:
    first = (await api.post(f"{SERVICES}?dryRun=All", service("a", clusterIP="127.96.1.1"))).status
    second = (await api.post(SERVICES, service("b", clusterIP="127.96.1.1"))).status
    assert (first, second) == (201, 201)


async def test_the_api_server_has_a_service_and_an_endpoint(api: Api) -> None:
    found = (await api.get(f"{SERVICES}/kubernetes")).body
    assert found["spec"]["clusterIP"] == "127.96.0.1"
    endpoints = (await api.get("/api/v1/namespaces/default/endpoints/kubernetes")).body
    assert endpoints["subsets"][0]["ports"][0]["port"] == int(api.url.rpartition(":")[2])
    names = [item["metadata"]["name"] for item in (await api.get("/api/v1/namespaces")).body["items"]]
    assert names == ["default", "kube-node-lease", "kube-public", "kube-system"]


async def test_pods_get_their_service_account_where_that_is_on() -> None:
    async for api in serving(settings=ApiServerSettings(service_account_admission=True)):
        refused = await api.post(PODS, POD)
        assert refused.message == (
            'pods "p" is forbidden: error looking up service account default/default: '
            'serviceaccount "default" not found'
        )
        account = {"metadata": {"name": "default"}, "imagePullSecrets": [{"name": "pull"}]}
        await api.post("/api/v1/namespaces/default/serviceaccounts", account)
        spec = (await api.post(PODS, POD)).body["spec"]
        assert spec["serviceAccountName"] == "default"
        assert spec["imagePullSecrets"] == [{"name": "pull"}]
        (mount,) = spec["containers"][0]["volumeMounts"]
        assert mount["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
        (volume,) = spec["volumes"]
        assert volume["name"] == mount["name"]
        assert [next(iter(source)) for source in volume["projected"]["sources"]] == [
            "serviceAccountToken",
            "configMap",
            "downwardAPI",
        ]
        quiet = {**POD, "metadata": {"name": "q"}, "spec": {**POD["spec"], "automountServiceAccountToken": False}}  # type: ignore[dict-item]
        assert "volumes" not in (await api.post(PODS, quiet)).body["spec"]


async def test_default_admission_completes_pods_nodes_and_claims(api: Api) -> None:
    pod = (await api.post(PODS, POD)).body["spec"]
    assert [toleration["key"] for toleration in pod["tolerations"]] == [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ]
    assert (pod["priority"], pod["preemptionPolicy"]) == (0, "PreemptLowerPriority")
    critical = {**POD, "metadata": {"name": "q"}, "spec": {**POD["spec"], "priorityClassName": "system-node-critical"}}  # type: ignore[dict-item]
    assert (await api.post(PODS, critical)).body["spec"]["priority"] == 2000001000
    node = (await api.post("/api/v1/nodes", {"metadata": {"name": "n"}})).body
    assert node["spec"]["taints"] == [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]
    classes = "/apis/storage.k8s.io/v1/storageclasses"
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
    await api.post(classes, {"metadata": {"name": "std", "annotations": annotations}, "provisioner": "x"})
    claim = {
        "metadata": {"name": "c"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    made = (await api.post("/api/v1/namespaces/default/persistentvolumeclaims", claim)).body
    assert made["spec"]["storageClassName"] == "std"
    assert made["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]


async def test_the_hook_refuses_with_its_own_words_and_warns() -> None:
    seen: list[AdmissionRequest] = []

    async def hook(request: AdmissionRequest) -> AdmissionDecision:
        seen.append(request)
        if request.name == "bad" or request.operation == "DELETE":
            return AdmissionDecision(False, "no, not this one", 403)
        return AdmissionDecision(True, warnings=["careful"])

    async for api in serving(admission=hook):
        await api.define_widgets()
        refused = await api.post(WIDGETS, widget("bad"))
        assert (refused.status, refused.reason, refused.message) == (403, "Forbidden", "no, not this one")
        made = await api.post(WIDGETS, widget("good"))
        assert made.headers["Warning"] == '299 - "careful"'
        await api.patch(f"{WIDGETS}/good/status?dryRun=All", {"status": {"phase": "x"}})
        update = seen[-1]
        assert (update.operation, update.subresource, update.dry_run) == ("UPDATE", "status", True)
        assert update.old_object is not None
        assert (await api.delete(f"{WIDGETS}/good")).status == 403
        assert (await api.get(f"{WIDGETS}/good")).status == 200


async def test_a_restart_finds_everything_again(tmp_path: Path) -> None:
    path = str(tmp_path / "store.db")
    async for api in serving(Store.open(path)):
        await api.define_widgets()
        made = (await api.post(WIDGETS, widget("a"))).body
        address = (await api.post(SERVICES, service("s"))).body["spec"]["clusterIP"]
    async for api in serving(Store.open(path)):
        assert (await api.get(f"{WIDGETS}/a")).body == made
        taken = await api.post(SERVICES, service("t", clusterIP=address))
        assert taken.status == 422


async def test_a_watch_goes_on_over_a_restart_where_nothing_was_missed(tmp_path: Path) -> None:
    path = str(tmp_path / "store.db")
    watch = f"{WIDGETS}?watch=true&timeoutSeconds=5&resourceVersion="
    async for api in serving(Store.open(path)):
        await api.define_widgets()
        first = (await api.post(WIDGETS, widget("a"))).body["metadata"]["resourceVersion"]
        last = (await api.post(WIDGETS, widget("b"))).body["metadata"]["resourceVersion"]
        await api.post("/api/v1/nodes", {"metadata": {"name": "other"}})
    async for api in serving(Store.open(path)):
        resumed = asyncio.create_task(api.events(watch + last, 1))
        missed = (await api.events(watch + first, 1))[0]
        assert (missed["type"], missed["object"]["code"], missed["object"]["reason"]) == ("ERROR", 410, "Expired")
        await api.delete(f"{WIDGETS}/a")
        (event,) = await resumed
        assert (event["type"], event["object"]["metadata"]["name"]) == ("DELETED", "a")
    async for api in serving(Store.open(path)):
        assert (await api.events(watch + last, 1))[0]["object"]["code"] == 410  # the deletion is missed
        seen = event["object"]["metadata"]["resourceVersion"]
        assert await api.events(watch.replace("=5", "=1") + seen, 1) == []


async def test_a_snapshot_restores_the_cluster(tmp_path: Path) -> None:
    folder = tmp_path / "snapshot"
    async for api in serving():
        await api.define_widgets()
        made = (await api.post(WIDGETS, widget("a"))).body
        count = save(api.server.store, folder)
        with pytest.raises(SnapshotError, match="not empty"):
            save(api.server.store, folder)
        with pytest.raises(SnapshotError, match="not empty"):
            restore(api.server.store, folder)
    written = yaml.safe_load((folder / "test.dev/widgets/default/a.yaml").read_text())
    assert (written["kind"], written["metadata"]["uid"]) == ("Widget", made["metadata"]["uid"])
    assert (folder / "core/namespaces/default.yaml").exists()
    store = Store.open()
    assert restore(store, folder) == count
    async for api in serving(store):
        again = (await api.get(f"{WIDGETS}/a")).body
        assert again["metadata"].pop("resourceVersion")
        del made["metadata"]["resourceVersion"]
        assert again == made


@pytest.mark.parametrize("content", ["a: [", "- 1", "metadata: {name: other}", "metadata: 5"])
def test_a_snapshot_that_makes_no_sense_is_refused_whole(tmp_path: Path, content: str) -> None:
    path = tmp_path / "core" / "nodes" / "n.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    store = Store.open()
    with pytest.raises(SnapshotError, match=r"n\.yaml"):
        restore(store, tmp_path)
    assert store.revision == 0
    with pytest.raises(SnapshotError, match="no folder"):
        restore(store, tmp_path / "missing")


def test_a_kubeconfig_is_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config"
    write_kubeconfig(path, "https://127.0.0.1:1", b"ca", "secret", "team")
    assert path.stat().st_mode & 0o777 == 0o600
    document = yaml.safe_load(path.read_text())
    assert document["contexts"][0]["context"]["namespace"] == "team"
    assert document["users"][0]["user"] == {"token": "secret"}
