"""get, list and watch over HTTP."""

import asyncio

import pytest

from tests.unit.apiserver.conftest import TABLE, WIDGETS, Api, widget

CONFIGS = "/api/v1/namespaces/default/configmaps"


async def fill(api: Api, count: int) -> None:
    for number in range(count):
        await api.post(CONFIGS, {"metadata": {"name": f"c{number}", "labels": {"parity": str(number % 2)}}})


async def test_a_list_names_its_kind_and_its_version_and_items_of_built_in_kinds_carry_no_type(api: Api) -> None:
    await fill(api, 2)
    listed = (await api.get(CONFIGS)).body
    assert (listed["kind"], listed["apiVersion"]) == ("ConfigMapList", "v1")
    assert listed["metadata"] == {"resourceVersion": str(api.server.store.revision)}
    assert all("kind" not in item for item in listed["items"])


async def test_pages_show_one_consistent_state(api: Api) -> None:
    await fill(api, 5)
    first = (await api.get(f"{CONFIGS}?limit=2")).body
    assert first["metadata"]["remainingItemCount"] == 3
    await api.delete(f"{CONFIGS}/c3")
    await api.post(CONFIGS, {"metadata": {"name": "c9"}})
    token, names = first["metadata"]["continue"], [item["metadata"]["name"] for item in first["items"]]
    while token:
        page = (await api.get(f"{CONFIGS}?limit=2&continue={token}")).body
        assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        names += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue")
    assert names == ["c0", "c1", "c2", "c3", "c4"]


async def test_an_expired_continue_token_is_gone_and_offers_another(api: Api) -> None:
    await fill(api, 3)
    token = (await api.get(f"{CONFIGS}?limit=1")).body["metadata"]["continue"]
    api.server.store.collection("/configmaps").floor = api.server.store.revision + 1
    gone = await api.get(f"{CONFIGS}?limit=1&continue={token}")
    assert (gone.status, gone.reason) == (410, "Expired")
    on = await api.get(f"{CONFIGS}?continue={gone.body['metadata']['continue']}")
    assert [item["metadata"]["name"] for item in on.body["items"]] == ["c1", "c2"]


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("limit=abc", 400, 'strconv.ParseInt: parsing "abc": invalid syntax'),
        ("resourceVersion=abc", 400, "invalid resource version"),
        ("resourceVersionMatch=Exact", 422, "resourceVersionMatch is forbidden unless resourceVersion is provided"),
        ("resourceVersion=0&resourceVersionMatch=Exact", 422, '"exact" is forbidden for resourceVersion "0"'),
        ("resourceVersion=99999999", 504, "Too large resource version: 99999999, current: "),
        ("continue=x%25", 400, "illegal base64 data at input byte 1"),
        ("continue=abc", 400, "continue key is not valid: invalid character"),
        ("labelSelector=a%3D%3D%3Db", 400, "unable to parse requirement"),
        ("fieldSelector=spec.nope%3D1", 400, "is not a known field selector"),
        ("watch=1&sendInitialEvents=true", 422, "sendInitialEvents requires setting resourceVersionMatch"),
        ("watch=1&resourceVersion=abc", 500, "strconv.ParseUint"),
        ("sendInitialEvents=true", 422, "sendInitialEvents is forbidden for list"),
    ],
)
async def test_bad_options_are_refused(api: Api, query: str, status: int, words: str) -> None:
    answer = await api.get(f"{CONFIGS}?{query}")
    assert answer.status == status
    assert words in answer.message


async def test_selectors_narrow_a_list(api: Api) -> None:
    await fill(api, 4)
    odd = (await api.get(f"{CONFIGS}?labelSelector=parity%3D1")).body["items"]
    assert [item["metadata"]["name"] for item in odd] == ["c1", "c3"]
    one = (await api.get(f"{CONFIGS}?fieldSelector=metadata.name%3Dc2")).body["items"]
    assert [item["metadata"]["name"] for item in one] == ["c2"]


async def test_an_unacceptable_format_is_a_406(api: Api) -> None:
    answer = await api.get(CONFIGS, Accept="application/xml")
    assert (answer.status, answer.reason) == (406, "NotAcceptable")


async def test_tables_and_partial_objects(api: Api) -> None:
    await fill(api, 1)
    table = (await api.get(f"{CONFIGS}/c0", Accept=TABLE)).body
    assert table["kind"] == "Table"
    assert table["rows"][0]["cells"][0] == "c0"
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    whole = (await api.get(f"{CONFIGS}?includeObject=Object", Accept=TABLE)).body
    assert whole["rows"][0]["object"]["kind"] == "ConfigMap"
    partial = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    assert (await api.get(CONFIGS, Accept=partial)).body["kind"] == "PartialObjectMetadataList"


async def test_a_watch_replays_what_happened_since_and_follows(api: Api) -> None:
    await api.define_widgets()
    version = (await api.get(WIDGETS)).body["metadata"]["resourceVersion"]
    await api.post(WIDGETS, widget("a"))
    following = asyncio.create_task(api.events(f"{WIDGETS}?watch=true&resourceVersion={version}", 3))
    await asyncio.sleep(0.1)
    await api.patch(f"{WIDGETS}/a", {"spec": {"size": 9}})
    deleted = await api.delete(f"{WIDGETS}/a")
    assert deleted.status == 200
    events = await following
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))
    assert events[0]["object"]["kind"] == "Widget"


async def test_a_watch_from_before_the_log_is_told_with_an_error_event(api: Api) -> None:
    await api.define_widgets()
    (event,) = await api.events(f"{WIDGETS}?watch=1&resourceVersion=1", 1)
    assert event["type"] == "ERROR"
    assert event["object"]["code"] == 410
    assert event["object"]["message"].startswith("too old resource version: 1 (")


async def test_a_streaming_list_ends_with_a_bookmark(api: Api) -> None:
    await fill(api, 2)
    options = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    events = await api.events(f"{CONFIGS}?{options}", 3)
    assert [event["type"] for event in events] == ["ADDED", "ADDED", "BOOKMARK"]
    assert events[2]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert events[2]["object"]["kind"] == "ConfigMap"


async def test_leaving_a_selector_is_a_deletion_and_entering_it_an_addition(api: Api) -> None:
    version = (await api.get(CONFIGS)).body["metadata"]["resourceVersion"]
    path = f"{CONFIGS}?watch=1&resourceVersion={version}&labelSelector=in%3Dyes"
    following = asyncio.create_task(api.events(path, 3))
    await asyncio.sleep(0.05)
    await api.post(CONFIGS, {"metadata": {"name": "a"}})
    await api.patch(f"{CONFIGS}/a", {"metadata": {"labels": {"in": "yes"}}})
    await api.patch(f"{CONFIGS}/a", {"data": {"k": "v"}})
    left = await api.patch(f"{CONFIGS}/a", {"metadata": {"labels": {"in": "no"}}})
    events = await following
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    assert events[2]["object"]["metadata"]["labels"] == {"in": "yes"}
    assert events[2]["object"]["metadata"]["resourceVersion"] == left.body["metadata"]["resourceVersion"]


async def test_a_watch_ends_when_its_time_is_up_and_when_the_server_stops(api: Api) -> None:
    assert await api.events(f"{CONFIGS}?watch=1&timeoutSeconds=1&resourceVersion={api.server.store.revision}", 5) == []
    endless = asyncio.create_task(api.events(f"{CONFIGS}?watch=1&resourceVersion={api.server.store.revision}", 5))
    await asyncio.sleep(0.1)
    await api.server.stop()
    assert await endless == []


async def test_only_the_first_table_of_a_watch_has_columns(api: Api) -> None:
    await fill(api, 2)
    events = await api.events(f"{CONFIGS}?watch=1", 2, Accept=TABLE)
    assert events[0]["object"]["columnDefinitions"][0]["name"] == "Name"
    assert events[1]["object"]["columnDefinitions"] is None


async def test_one_object_can_be_watched_by_its_name(api: Api) -> None:
    await fill(api, 3)
    (event,) = await api.events(f"{CONFIGS}?watch=true&fieldSelector=metadata.name%3Dc1", 1)
    assert event["object"]["metadata"]["name"] == "c1"
    (old,) = await api.events("/api/v1/watch/namespaces/default/configmaps/c2", 1)
    assert old["object"]["metadata"]["name"] == "c2"
    assert (await api.get(f"{CONFIGS}/c1?watch=true")).body["kind"] == "ConfigMap"  # no watch, as in the real server


async def test_events_are_served_in_both_groups(api: Api) -> None:
    event = {
        "metadata": {"name": "e", "namespace": "default"},
        "involvedObject": {"kind": "Pod", "name": "x", "namespace": "default"},
        "reason": "R",
        "message": "M",
        "type": "Normal",
    }
    await api.post("/api/v1/namespaces/default/events", event)
    new = (await api.get("/apis/events.k8s.io/v1/namespaces/default/events/e")).body
    assert (new["apiVersion"], new["note"], new["regarding"]["name"]) == ("events.k8s.io/v1", "M", "x")
    found = await api.get("/api/v1/events?fieldSelector=involvedObject.name%3Dx,reason%3DR")
    assert len(found.body["items"]) == 1


async def test_health_and_version(api: Api) -> None:
    anonymous = api.as_token("")
    assert (await anonymous.get("/readyz")).body == "ok"
    verbose = (await api.get("/readyz?verbose")).body
    assert verbose.endswith("readyz check passed\n")
    assert "[+]etcd ok\n" in verbose
    assert (await anonymous.get("/version")).body["gitVersion"] == "v1.34.4"
    assert (await api.get("/livez/nope")).status == 404
    assert "apiserver_request_total{" in (await api.get("/metrics")).body


async def test_discovery_in_both_forms(api: Api) -> None:
    await api.define_widgets()
    groups = {group["name"]: group for group in (await api.get("/apis")).body["groups"]}
    assert groups["test.dev"]["preferredVersion"] == {"groupVersion": "test.dev/v1", "version": "v1"}
    resources = (await api.get("/apis/test.dev/v1")).body["resources"]
    assert [resource["name"] for resource in resources] == ["widgets", "widgets/status", "widgets/scale"]
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    answer = await api.get("/apis", Accept=accept)
    assert answer.headers["Content-Type"] == "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    assert answer.body["items"][-1]["metadata"]["name"] == "test.dev"
    assert (await api.get("/apis/nope.dev")).body == "404 page not found\n"
    document = (await api.get("/openapi/v3/apis/test.dev/v1")).body
    assert "dev.test.v1.Widget" in document["components"]["schemas"]
