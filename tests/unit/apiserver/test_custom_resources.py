"""Definitions: serving, conditions, versions, schemas, and their end."""

import asyncio
import copy

from tests.unit.apiserver.conftest import DEFINITIONS, TABLE, WIDGETS, Api, widget, widget_definition


async def conditions(api: Api) -> dict[str, str]:
    body = (await api.get(f"{DEFINITIONS}/widgets.test.dev")).body
    return {condition["type"]: condition["reason"] for condition in body["status"]["conditions"]}


async def test_a_definition_is_established_and_served(api: Api) -> None:
    await api.define_widgets()
    assert await conditions(api) == {"NamesAccepted": "NoConflicts", "Established": "InitialNamesAccepted"}
    body = (await api.get(f"{DEFINITIONS}/widgets.test.dev")).body
    assert body["status"]["storedVersions"] == ["v1"]
    assert body["status"]["acceptedNames"]["kind"] == "Widget"


async def test_names_that_are_taken_are_not_accepted(api: Api) -> None:
    await api.define_widgets()
    other = widget_definition()
    other["metadata"]["name"] = "gadgets.test.dev"
    other["spec"]["names"] |= {"plural": "gadgets", "singular": "gadget"}
    await api.post(DEFINITIONS, other)
    await asyncio.sleep(0.05)
    body = (await api.get(f"{DEFINITIONS}/gadgets.test.dev")).body
    found = {
        condition["type"]: (condition["status"], condition["reason"]) for condition in body["status"]["conditions"]
    }
    assert found["NamesAccepted"][0] == "False"
    assert found["Established"] == ("False", "NotAccepted")
    assert (await api.get("/apis/test.dev/v1/gadgets")).status == 404


async def test_objects_are_defaulted_pruned_and_checked(api: Api) -> None:
    await api.define_widgets()
    made = await api.post(WIDGETS, {**widget("a"), "spec": {"color": "red", "bogus": 1}})
    assert made.body["spec"] == {"color": "red", "size": 3}
    assert made.headers["Warning"] == '299 - "unknown field \\"spec.bogus\\""'
    wrong = await api.post(WIDGETS, {**widget("b"), "spec": {"size": "big"}})
    assert wrong.status == 422
    assert 'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"' in wrong.message
    assert ".spec.size: Invalid value: 0: .spec.size accessor error: big is of the type string" in wrong.message


async def test_a_version_shows_what_its_schema_knows(api: Api) -> None:
    definition = widget_definition(selectableFields=[])
    old = copy.deepcopy(definition["spec"]["versions"][0])
    old |= {"name": "v1alpha1", "storage": False}
    del old["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["size"]
    definition["spec"]["versions"].append(old)
    await api.post(DEFINITIONS, definition)
    await asyncio.sleep(0.05)
    await api.post(WIDGETS, widget("a"))
    await api.patch(f"{WIDGETS}/a/status", {"status": {"phase": "x", "size": 7}})
    older = WIDGETS.replace("v1/", "v1alpha1/")
    seen = (await api.get(f"{older}/a")).body
    assert (seen["apiVersion"], seen["status"]) == ("test.dev/v1alpha1", {"phase": "x"})
    changed = await api.patch(f"{older}/a?fieldValidation=Strict", {"metadata": {"labels": {"a": "b"}}})
    assert changed.status == 200, changed.body
    versions = (await api.get("/apis/test.dev")).body["versions"]
    assert [version["version"] for version in versions] == ["v1", "v1alpha1"]
    listed = (await api.get(older)).body
    assert listed["items"][0]["apiVersion"] == "test.dev/v1alpha1"
    (event,) = await api.events(f"{older}?watch=1", 1)
    assert event["object"]["apiVersion"] == "test.dev/v1alpha1"


async def test_printer_columns_and_selectable_fields(api: Api) -> None:
    columns = [{"name": "Color", "type": "string", "jsonPath": ".spec.color"}]
    await api.define_widgets(additionalPrinterColumns=columns)
    await api.post(WIDGETS, widget("a"))
    await api.post(WIDGETS, {**widget("b"), "spec": {"color": "blue"}})
    table = (await api.get(WIDGETS, Accept=TABLE)).body
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Color"]
    assert [row["cells"] for row in table["rows"]] == [["a", "red"], ["b", "blue"]]
    blue = (await api.get(f"{WIDGETS}?fieldSelector=spec.color%3Dblue")).body["items"]
    assert [item["metadata"]["name"] for item in blue] == ["b"]
    assert (await api.get(f"{WIDGETS}?fieldSelector=spec.nope%3D1")).message == "field label not supported: spec.nope"


async def test_server_side_apply_creates_conflicts_and_forces(api: Api) -> None:
    await api.define_widgets()
    apply = "application/apply-patch+yaml"
    first = await api.patch(f"{WIDGETS}/a?fieldManager=one", widget("a"), apply)
    assert first.status == 201
    blue = {**widget("a"), "spec": {"color": "blue"}}
    refused = await api.patch(f"{WIDGETS}/a?fieldManager=two", blue, apply)
    assert (refused.status, refused.message) == (
        409,
        'Apply failed with 1 conflict: conflict with "one": .spec.color',
    )
    forced = await api.patch(f"{WIDGETS}/a?fieldManager=two&force=true", blue, apply)
    assert forced.body["spec"]["color"] == "blue"
    assert {entry["manager"] for entry in forced.body["metadata"]["managedFields"]} >= {"two"}
    nobody = await api.patch(f"{WIDGETS}/a", blue, apply)
    assert "fieldManager: Required value: is required for apply patch" in nobody.message


async def test_a_definition_takes_its_objects_with_it_and_waits_for_finalizers(api: Api) -> None:
    await api.define_widgets()
    await api.post(WIDGETS, widget("a", finalizers=["x/y"]))
    await api.post(WIDGETS, widget("b"))
    deleted = await api.delete(f"{DEFINITIONS}/widgets.test.dev")
    assert deleted.body["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    await asyncio.sleep(0.05)
    assert (await conditions(api))["Terminating"] == "InstanceDeletionInProgress"
    left = (await api.get(WIDGETS)).body["items"]
    assert [item["metadata"]["name"] for item in left] == ["a"]
    refused = await api.post(WIDGETS, widget("c"))
    assert refused.message.endswith("create not allowed while custom resource definition is terminating")
    await api.patch(f"{WIDGETS}/a", {"metadata": {"finalizers": None}})
    await asyncio.sleep(0.05)
    assert (await api.get(f"{DEFINITIONS}/widgets.test.dev")).status == 404
    assert (await api.get(WIDGETS)).body == "404 page not found\n"


async def test_a_watch_ends_when_its_resource_is_withdrawn(api: Api) -> None:
    await api.define_widgets()
    version = (await api.get(WIDGETS)).body["metadata"]["resourceVersion"]
    following = asyncio.create_task(api.events(f"{WIDGETS}?watch=1&resourceVersion={version}", 5))
    await asyncio.sleep(0.05)
    await api.delete(f"{DEFINITIONS}/widgets.test.dev")
    assert await following == []


async def test_nothing_is_applied_to_what_no_longer_fits_its_schema(api: Api) -> None:
    await api.define_widgets()
    await api.post(WIDGETS, widget("a"))
    changed = widget_definition()["spec"]
    spec = changed["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["color"] = {"type": "object"}
    del changed["versions"][0]["selectableFields"]
    assert (await api.patch(f"{DEFINITIONS}/widgets.test.dev", {"spec": changed})).status == 200
    applied = {"apiVersion": "test.dev/v1", "kind": "Widget", "spec": {"size": 5}}
    for _ in range(100):
        answer = await api.call("PATCH", f"{WIDGETS}/a?fieldManager=me", applied, "application/apply-patch+yaml")
        if answer.status != 200:
            break
        await asyncio.sleep(0.01)
    assert answer.status == 500
    name = "(default/a; test.dev/v1, Kind=Widget)"
    assert answer.body["message"] == (
        f"failed to create typed live object {name}: .spec.color: expected map, got &{{red}}"
    )
