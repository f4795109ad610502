"""create, update, patch and delete over HTTP."""

import asyncio
import io

import pytest

from kaito.embedded.apiserver import removing
from tests.unit.apiserver.conftest import MERGE, WIDGETS, Api, widget

CONFIGS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
POD = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}


async def test_a_created_object_gets_its_identity_from_the_server(api: Api) -> None:
    sent = {"metadata": {"name": "a", "uid": "mine", "deletionTimestamp": "2020-01-01T00:00:00Z"}, "data": {"k": "v"}}
    answer = await api.post(CONFIGS, sent)
    metadata = answer.body["metadata"]
    assert answer.status == 201
    assert metadata["namespace"] == "default"
    assert metadata["uid"] != "mine"
    assert "deletionTimestamp" not in metadata
    assert answer.body["kind"] == "ConfigMap"
    again = await api.post(CONFIGS, sent)
    assert (again.status, again.reason) == (409, "AlreadyExists")
    assert again.message == 'configmaps "a" already exists'


async def test_generate_name_finds_a_free_name(api: Api) -> None:
    names = set()
    for _ in range(5):
        answer = await api.post(CONFIGS, {"metadata": {"generateName": "gen-"}})
        names.add(answer.body["metadata"]["name"])
    assert len(names) == 5
    assert all(name.startswith("gen-") and len(name) == 9 for name in names)


async def test_a_resource_version_cannot_be_given_to_a_create(api: Api) -> None:
    answer = await api.post(CONFIGS, {"metadata": {"name": "a", "resourceVersion": "5"}})
    assert (answer.status, answer.message) == (500, "resourceVersion should not be set on objects to be created")


async def test_a_stale_update_is_a_conflict_and_a_blind_one_overwrites(api: Api) -> None:
    first = (await api.post(CONFIGS, {"metadata": {"name": "a"}})).body
    second = (await api.put(f"{CONFIGS}/a", {**first, "data": {"k": "1"}})).body
    stale = await api.put(f"{CONFIGS}/a", {**first, "data": {"k": "2"}})
    assert (stale.status, stale.reason) == (409, "Conflict")
    blind = await api.put(f"{CONFIGS}/a", {"metadata": {"name": "a"}, "data": {"k": "3"}})
    assert blind.status == 200
    assert int(blind.body["metadata"]["resourceVersion"]) > int(second["metadata"]["resourceVersion"])
    assert blind.body["metadata"]["uid"] == first["metadata"]["uid"]


async def test_a_custom_resource_must_say_which_version_it_replaces(api: Api) -> None:
    await api.define_widgets()
    await api.post(WIDGETS, widget("a"))
    answer = await api.put(f"{WIDGETS}/a", widget("a"))
    assert answer.status == 422
    assert "metadata.resourceVersion: Invalid value: 0: must be specified for an update" in answer.message


async def test_a_write_that_changes_nothing_keeps_the_version(api: Api) -> None:
    await api.define_widgets()
    made = (await api.post(WIDGETS, widget("a"))).body["metadata"]
    assert made["generation"] == 1
    changed = (await api.patch(f"{WIDGETS}/a", {"spec": {"size": 5}})).body["metadata"]
    labelled = (await api.patch(f"{WIDGETS}/a", {"metadata": {"labels": {"a": "b"}}})).body["metadata"]
    same = (await api.patch(f"{WIDGETS}/a", {"metadata": {"labels": {"a": "b"}}})).body["metadata"]
    assert [changed["generation"], labelled["generation"]] == [2, 2]
    assert same["resourceVersion"] == labelled["resourceVersion"]


async def test_status_and_spec_are_written_apart(api: Api) -> None:
    await api.define_widgets()
    made = await api.post(WIDGETS, {**widget("a"), "status": {"phase": "no"}})
    assert "status" not in made.body
    both = {"spec": {"color": "blue"}, "status": {"phase": "yes"}, "metadata": {"labels": {"a": "b"}}}
    status = (await api.patch(f"{WIDGETS}/a/status", both)).body
    assert (status["spec"]["color"], status["status"]["phase"]) == ("red", "yes")
    main = (await api.patch(f"{WIDGETS}/a", {"spec": {"color": "blue"}, "status": {"phase": "no"}})).body
    assert (main["spec"]["color"], main["status"]["phase"]) == ("blue", "yes")
    assert status["metadata"]["generation"] == 1
    assert main["metadata"]["generation"] == 2


async def test_a_dry_run_stores_nothing(api: Api) -> None:
    before = api.server.store.revision
    answer = await api.post(f"{CONFIGS}?dryRun=All", {"metadata": {"name": "a"}})
    assert answer.status == 201
    assert (await api.get(f"{CONFIGS}/a")).status == 404
    assert api.server.store.revision == before
    bad = await api.post(f"{CONFIGS}?dryRun=Some", {"metadata": {"name": "a"}})
    assert bad.message == (
        'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported values: "All"'
    )


async def test_a_finalizer_holds_a_deleted_object_until_it_is_taken_away(api: Api) -> None:
    await api.post(CONFIGS, {"metadata": {"name": "a", "finalizers": ["x/y"]}})
    deleted = await api.delete(f"{CONFIGS}/a")
    assert (deleted.status, deleted.body["kind"]) == (200, "ConfigMap")
    assert deleted.body["metadata"]["deletionTimestamp"]
    kept = await api.get(f"{CONFIGS}/a")
    assert kept.body["metadata"]["deletionGracePeriodSeconds"] == 0
    freed = await api.patch(f"{CONFIGS}/a", {"metadata": {"finalizers": None}})
    assert freed.status == 200
    assert (await api.get(f"{CONFIGS}/a")).status == 404


async def test_a_deletion_answers_with_a_status_and_details(api: Api) -> None:
    made = (await api.post(CONFIGS, {"metadata": {"name": "a"}})).body
    answer = await api.delete(f"{CONFIGS}/a")
    assert answer.body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]},
    }


async def test_preconditions_guard_a_deletion(api: Api) -> None:
    made = (await api.post(CONFIGS, {"metadata": {"name": "a"}})).body["metadata"]
    wrong = await api.delete(f"{CONFIGS}/a", {"preconditions": {"uid": "x"}})
    assert (wrong.status, wrong.reason) == (409, "Conflict")
    assert "the UID in the precondition (x) does not match the UID in record" in wrong.message
    old = await api.delete(f"{CONFIGS}/a", {"preconditions": {"resourceVersion": "1"}})
    assert "the ResourceVersion in the precondition (1) does not match" in old.message
    right = {"uid": made["uid"], "resourceVersion": made["resourceVersion"]}
    assert (await api.delete(f"{CONFIGS}/a", {"preconditions": right})).status == 200


async def test_propagation_becomes_a_finalizer_of_the_collector(api: Api) -> None:
    for policy, finalizer in (("Foreground", "foregroundDeletion"), ("Orphan", "orphan")):
        await api.post(CONFIGS, {"metadata": {"name": policy.lower()}})
        answer = await api.delete(f"{CONFIGS}/{policy.lower()}", {"propagationPolicy": policy})
        assert (answer.status, answer.body["metadata"]["finalizers"]) == (200, [finalizer])


async def test_a_scheduled_pod_dies_gracefully_and_the_period_only_shrinks(api: Api) -> None:
    await api.post(PODS, POD)
    await api.post(f"{PODS}/p/binding", {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}})
    first = (await api.delete(f"{PODS}/p")).body["metadata"]
    assert first["deletionGracePeriodSeconds"] == 30
    longer = (await api.delete(f"{PODS}/p?gracePeriodSeconds=60")).body["metadata"]
    assert longer["deletionGracePeriodSeconds"] == 30
    shorter = (await api.delete(f"{PODS}/p?gracePeriodSeconds=5")).body["metadata"]
    assert shorter["deletionGracePeriodSeconds"] == 5
    assert shorter["deletionTimestamp"] < first["deletionTimestamp"]
    assert (await api.delete(f"{PODS}/p?gracePeriodSeconds=0")).status == 200
    assert (await api.get(f"{PODS}/p")).status == 404


async def test_a_pod_is_bound_once(api: Api) -> None:
    await api.post(PODS, POD)
    bound = await api.post(f"{PODS}/p/binding", {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n1"}})
    assert (bound.status, bound.body["status"]) == (201, "Success")
    again = await api.post(f"{PODS}/p/binding", {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n2"}})
    assert (again.status, again.reason) == (409, "Conflict")
    assert again.message == (
        'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"'
    )
    pod = (await api.get(f"{PODS}/p")).body
    assert pod["spec"]["nodeName"] == "n1"
    assert [c["type"] for c in pod["status"]["conditions"]] == ["PodScheduled"]


async def test_eviction_deletes_and_a_budget_can_forbid_it(api: Api) -> None:
    labelled = {**POD, "metadata": {"name": "p", "labels": {"a": "b"}}}
    await api.post(PODS, labelled)
    await api.patch(f"{PODS}/p/status", {"status": {"phase": "Running"}})
    budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
    spec = {"selector": {"matchLabels": {"a": "b"}}, "minAvailable": 1}
    await api.post(budgets, {"metadata": {"name": "b"}, "spec": spec})
    refused = await api.post(f"{PODS}/p/eviction", {"metadata": {"name": "p"}})
    assert (refused.status, refused.reason) == (429, "TooManyRequests")
    await api.delete(f"{budgets}/b")
    assert (await api.post(f"{PODS}/p/eviction", {"metadata": {"name": "p"}})).status == 201
    assert (await api.get(f"{PODS}/p")).status == 404


async def test_a_collection_is_deleted_by_selector(api: Api) -> None:
    for name in ("a", "b", "c"):
        await api.post(CONFIGS, {"metadata": {"name": name, "labels": {"del": "no" if name == "c" else "yes"}}})
    answer = await api.delete(f"{CONFIGS}?labelSelector=del%3Dyes")
    assert [item["metadata"]["name"] for item in answer.body["items"]] == ["a", "b"]
    left = (await api.get(CONFIGS)).body["items"]
    assert [item["metadata"]["name"] for item in left if item["metadata"]["name"] in "abc"] == ["c"]


async def test_patches_of_every_kind(api: Api) -> None:
    await api.post(PODS, POD)
    strategic = {"spec": {"containers": [{"name": "c", "image": "other"}]}, "metadata": {"labels": {"a": "b"}}}
    merged = await api.patch(f"{PODS}/p", strategic, "application/strategic-merge-patch+json")
    assert merged.body["spec"]["containers"][0]["image"] == "other"
    operations = [{"op": "test", "path": "/metadata/labels/a", "value": "x"}]
    failed = await api.patch(f"{PODS}/p", operations, "application/json-patch+json")
    assert (failed.status, failed.reason, failed.body["details"]) == (422, "Invalid", {})
    operations = [{"op": "replace", "path": "/metadata/labels/a", "value": "x"}]
    replaced = await api.patch(f"{PODS}/p", operations, "application/json-patch+json")
    assert replaced.body["metadata"]["labels"] == {"a": "x"}
    unknown = await api.patch(f"{PODS}/p", {}, "application/json")
    assert (unknown.status, unknown.message) == (415, "415: Unsupported Media Type")
    wrong = await api.patch(f"{PODS}/p", {"metadata": {"name": "q"}}, MERGE)
    assert wrong.message == "the name of the object (q) does not match the name on the URL (p)"


async def test_bodies_that_cannot_be_read_are_a_400_in_the_words_of_the_real_server(api: Api) -> None:
    for body, words in (
        (b"x", "invalid character 'x' looking for beginning of value (78)"),
        (b"", "unexpected end of JSON input (<empty>)"),
        (
            b'{"metadata":{"name":5}}',
            "cannot unmarshal number into Go struct field ObjectMeta.metadata.name of type string",
        ),
        (b'{"kind":"Foo","metadata":{"name":"a"}}', 'no kind "Foo" is registered for version "v1"'),
    ):
        answer = await api.call("POST", CONFIGS, body)
        assert answer.status == 400
        assert words in answer.message
    media = await api.call("POST", CONFIGS, b"{}", "text/plain")
    assert media.status == 415
    large = await api.call("POST", CONFIGS, io.BytesIO(b"x" * (4 << 20)))
    assert (large.status, large.reason) == (413, "RequestEntityTooLarge")


async def test_unknown_fields_are_refused_warned_of_or_ignored(api: Api) -> None:
    body = {"metadata": {"name": "a"}, "bogus": 1}
    strict = await api.post(f"{CONFIGS}?fieldValidation=Strict", body)
    assert strict.message == (
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "bogus"'
    )
    warned = await api.post(CONFIGS, body)
    assert warned.headers.getall("Warning") == ['299 - "unknown field \\"bogus\\""']
    silent = await api.post(f"{CONFIGS}?fieldValidation=Ignore", {**body, "metadata": {"name": "b"}})
    assert "Warning" not in silent.headers
    twice = b'{"metadata":{"name":"c"},"data":{"a":"1","a":"2"}}'
    duplicate = await api.call("POST", f"{CONFIGS}?fieldValidation=Strict", twice)
    assert 'strict decoding error: duplicate field "data.a"' in duplicate.message


async def test_concurrent_patches_are_all_applied(api: Api) -> None:
    await api.post(CONFIGS, {"metadata": {"name": "a"}, "data": {}})
    await asyncio.gather(*(api.patch(f"{CONFIGS}/a", {"data": {f"k{n}": "v"}}) for n in range(20)))
    assert len((await api.get(f"{CONFIGS}/a")).body["data"]) == 20


async def test_yaml_bodies_are_taken_and_given(api: Api) -> None:
    answer = await api.call("POST", CONFIGS, b"metadata: {name: a}\ndata: {when: 2020-01-01}\n", "application/yaml")
    assert answer.body["data"] == {"when": "2020-01-01"}
    shown = await api.get(f"{CONFIGS}/a", Accept="application/yaml")
    assert "kind: ConfigMap" in shown.body


async def test_nothing_is_made_in_a_missing_or_terminating_namespace(api: Api) -> None:
    missing = await api.post("/api/v1/namespaces/nope/configmaps", {"metadata": {"name": "a"}})
    assert (missing.status, missing.message) == (404, 'namespaces "nope" not found')
    await api.post("/api/v1/namespaces", {"metadata": {"name": "n"}})
    ending = await api.delete("/api/v1/namespaces/n")
    assert ending.body["status"]["phase"] == "Terminating"
    refused = await api.post("/api/v1/namespaces/n/configmaps", {"metadata": {"name": "a"}})
    assert refused.message == (
        'configmaps "a" is forbidden: unable to create new content in namespace n because it is being terminated'
    )
    assert refused.body["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    namespace = (await api.get("/api/v1/namespaces/n")).body
    namespace["spec"]["finalizers"] = []
    assert (await api.put("/api/v1/namespaces/n/finalize", namespace)).status == 200
    assert (await api.get("/api/v1/namespaces/n")).status == 404


async def test_the_default_namespace_cannot_be_deleted(api: Api) -> None:
    answer = await api.delete("/api/v1/namespaces/default")
    assert (answer.status, answer.message) == (
        403,
        'namespaces "default" is forbidden: this namespace may not be deleted',
    )


async def test_scale_is_a_view_of_replicas(api: Api) -> None:
    await api.define_widgets()
    await api.post(WIDGETS, widget("a"))
    scale = (await api.get(f"{WIDGETS}/a/scale")).body
    assert (scale["kind"], scale["spec"]) == ("Scale", {"replicas": 3})
    changed = await api.patch(f"{WIDGETS}/a/scale", {"spec": {"replicas": 7}})
    assert changed.body["spec"] == {"replicas": 7}
    assert (await api.get(f"{WIDGETS}/a")).body["spec"]["size"] == 7
    stale = await api.put(f"{WIDGETS}/a/scale", {**scale, "spec": {"replicas": -1}})
    assert stale.status == 409
    negative = await api.put(f"{WIDGETS}/a/scale", {**changed.body, "spec": {"replicas": -1}})
    assert negative.status == 422
    owners = (await api.get(f"{WIDGETS}/a")).body["metadata"]["managedFields"]
    assert {"f:spec": {"f:size": {}}} in [entry["fieldsV1"] for entry in owners if entry.get("subresource") == "scale"]


async def test_methods_and_paths_that_lead_nowhere(api: Api) -> None:
    for method, path, status in (
        ("PUT", CONFIGS, 405),
        ("POST", f"{CONFIGS}/a", 405),
        ("POST", "/api/v1/pods", 405),
        ("GET", "/api/v1/nothings", 404),
        ("GET", f"{PODS}/p/nosub", 404),
        ("GET", "/apis/nope.dev/v1/x", 404),
        ("OPTIONS", CONFIGS, 405),
    ):
        assert (await api.call(method, path, {} if method in ("PUT", "POST") else None)).status == status, (
            method,
            path,
        )


async def test_other_requests_get_their_turn_while_a_collection_is_deleted(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removing, "_TURN", -1.0)  # a turn after every object, however fast the machine
    await api.define_widgets()
    for number in range(5):
        await api.post(WIDGETS, widget(f"w{number}"))
    widgets = api.server.store.collection("test.dev/widgets")
    deleting = asyncio.create_task(api.delete(WIDGETS))
    seen = set()
    while not deleting.done():
        seen.add(len(widgets))
        await asyncio.sleep(0)
    assert (await deleting).status == 200
    assert seen >= {1, 2, 3, 4}
