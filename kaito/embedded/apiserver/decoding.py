"""From a client's dict to an object of a resource: types checked, defaults filled in, unknown fields dealt with."""

from __future__ import annotations

from typing import Any

import orjson

from kaito.embedded.apiserver.bodies import duplicate_fields, unrecognized
from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.errors import Cause, GroupResource, bad_request, invalid
from kaito.embedded.apiserver.kinds.builtin import find_kind
from kaito.embedded.apiserver.kinds.raw_text import with_text
from kaito.embedded.apiserver.resources import Resource
from kaito.embedded.apiserver.schemas.decoding import DecodeError
from kaito.embedded.apiserver.schemas.decoding import decode as decode_builtin
from kaito.embedded.apiserver.store import Object
from kaito.embedded.apiserver.strategies import Undecodable

_REVISIONS = GroupResource("apps", "controllerrevisions")
_SCHEME = 'in scheme "pkg/runtime/scheme.go:110"'
_REMARKS_SHOWN = 50


def check_types(resource: Resource, body: Object, raw: bytes) -> Object:
    """The body with its apiVersion and kind right, filled in from the URL where a built-in kind leaves them out.

    Raises a 400 (422 for a wrong kind of custom resource) in the words of the real server.
    """
    version, kind = body.get("apiVersion"), body.get("kind")
    wanted_kind, wanted_version = resource.kind.kind, resource.api_version
    if resource.custom:
        if not isinstance(kind, str) or not kind:
            sent = raw or orjson.dumps(body)
            raise unrecognized(
                wanted_kind, f"Object 'Kind' is missing in '{sent.decode('utf-8', 'replace').strip()}'", sent
            )
        if not isinstance(version, str) or not version:
            raise bad_request(
                f"the API version in the data () does not match the expected API version ({wanted_version})"
            )
        group = version.rpartition("/")[0]
        causes = []
        if kind != wanted_kind:
            causes.append(Cause("FieldValueInvalid", f'Invalid value: "{kind}": must be {wanted_kind}', "kind"))
        if version != wanted_version:
            message = f'Invalid value: "{version}": must be {wanted_version}'
            causes.append(Cause("FieldValueInvalid", message, "apiVersion"))
        if causes:
            raise invalid(GroupResource(group, kind), _name(body), causes)
        return body
    version = version if isinstance(version, str) and version else wanted_version
    kind = kind if isinstance(kind, str) and kind else wanted_kind
    if (version, kind) != (wanted_version, wanted_kind):
        short = version.rpartition("/")[2]
        if not _is_registered(version, kind):
            why = f'no kind "{kind}" is registered for version "{version}" {_SCHEME}'
        elif (problem := _undecodable(body, version, kind)) is not None:
            why = problem
        else:
            internal = wanted_version.rpartition("/")[0].split(".")[0] or "core"
            why = f"converting ({short}.{kind}) to ({internal}.{wanted_kind}): unknown conversion"
        raise bad_request(f'{kind} in version "{short}" cannot be handled as a {wanted_kind}: {why}')
    return {**body, "apiVersion": version, "kind": kind}


def _undecodable(body: Object, version: str, kind: str) -> str | None:
    """Why the body is not even of the kind it says it is, None where it is."""
    try:
        decode_builtin(body, version, kind)
    except DecodeError as problem:
        return str(problem)
    return None


def _is_registered(version: str, kind: str) -> bool:
    """Whether the real server knows the kind: of objects, of their lists, or Status, which is in every version."""
    if kind == "Status":
        return True
    return find_kind(version, kind) is not None or find_kind(version, kind.removesuffix("List")) is not None


def _name(body: Object) -> str:
    metadata = body.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


def decode(resource: Resource, body: Object, raw: bytes, validation: str, call: Call) -> Object:
    """A complete object of the resource from a request's body. Raises a 400."""
    obj = check_types(resource, body, raw)
    # Before the strategy reads it: defaults are filled into the same dicts.
    if resource.group_resource == _REVISIONS:
        obj = with_text(obj, raw, "data")
    duplicates = duplicate_fields(raw, body) if validation != "Ignore" else []
    try:
        decoded = resource.strategy.decode(obj)
    except Undecodable as problem:
        raise cannot_handle(resource, str(problem)) from None
    if not resource.custom:  # an unknown field is skipped, not read: nobody sees it twice
        unknown = [remark.removeprefix("unknown field ") for remark in decoded.remarks]
        duplicates = [remark for remark in duplicates if remark.removeprefix("duplicate field ") not in unknown]
    handle_remarks(resource, [*duplicates, *decoded.remarks], validation, call)
    return decoded.object


def handle_remarks(resource: Resource, remarks: list[str], validation: str, call: Call) -> None:
    """Refuses (Strict), warns (Warn) or keeps silent (Ignore) about unknown and duplicate fields."""
    if not remarks:
        return
    if validation == "Strict":
        shown = remarks if len(remarks) <= _REMARKS_SHOWN else [*remarks[:_REMARKS_SHOWN], "..."]
        raise cannot_handle(resource, f"strict decoding error: {', '.join(shown)}")
    if validation == "Warn":
        for remark in remarks:
            call.warn(remark)


def cannot_handle(resource: Resource, why: str) -> Any:
    kind = resource.kind.kind
    return bad_request(f'{kind} in version "{resource.version}" cannot be handled as a {kind}: {why}')
