"""The data of a ControllerRevision never changes, and its text counts, as in the real server."""

import orjson
import pytest

from kaito.embedded.apiserver.kinds.raw_text import Raw, text_of, with_text
from tests.unit.apiserver.conftest import Api

REVISIONS = "/apis/apps/v1/namespaces/default/controllerrevisions"
REVISION = {"apiVersion": "apps/v1", "kind": "ControllerRevision", "data": {"spec": {"a": "b"}}, "revision": 1}
STRATEGIC = "application/strategic-merge-patch+json"


def revision(name: str) -> bytes:
    return orjson.dumps({**REVISION, "metadata": {"name": name}})


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"data":{"a":1}}', '{"a":1}'),
        (b'{"data": {"a": 1} }', '{"a": 1}'),
        (b'{ "x" : [1, {"data": 2}],\n"data"\t: {"a":\n1}, "y": "}"}', '{"a":\n1}'),
        (b'{"data": {"a": 0}, "data": {"a":  1}}', '{"a":  1}'),
        (b"data: {a: 1}", '{"a":1}'),
        (b"", '{"a":1}'),
    ],
)
def test_the_text_of_a_member_is_found(body: bytes, text: str) -> None:
    found = with_text({"data": {"a": 1}}, body, "data")["data"]
    assert found == {"a": 1}
    assert text_of(found) == text
    assert (type(found) is Raw) == (text != '{"a":1}')


async def test_data_sent_without_spaces_is_kept_by_every_patch(api: Api) -> None:
    assert (await api.call("POST", REVISIONS, revision("r"))).status == 201
    labels = {"metadata": {"labels": {"a": "b"}}}
    assert (await api.patch(f"{REVISIONS}/r", labels)).status == 200
    assert (await api.patch(f"{REVISIONS}/r", {"data": {"spec": {"a": "c"}}})).status == 422


async def test_data_sent_with_spaces_is_changed_by_every_patch_and_kept_by_the_same_text(api: Api) -> None:
    spaced = revision("r").replace(b'"a":"b"', b'"a": "b"')
    assert (await api.call("POST", REVISIONS, spaced)).status == 201
    refused = await api.patch(f"{REVISIONS}/r", {"metadata": {"labels": {"a": "b"}}})
    assert refused.status == 422
    assert refused.message.endswith('data: Invalid value: {"spec":{"a":"b"}}: field is immutable')
    labelled = spaced.replace(b'"name":"r"', b'"name":"r","labels":{"a":"b"}')
    assert (await api.call("PUT", f"{REVISIONS}/r", labelled)).status == 200
    assert (await api.call("PUT", f"{REVISIONS}/r", revision("r"))).status == 422


async def test_data_cannot_be_merged_strategically(api: Api) -> None:
    assert (await api.call("POST", REVISIONS, revision("r"))).status == 201
    refused = await api.patch(f"{REVISIONS}/r", {"data": {"spec": {"a": "b"}}}, STRATEGIC)
    assert refused.status == 500
    assert refused.message == 'unable to find api field in struct RawExtension for the json field "spec"'
