"""PATCH: from the request's content type and body to a function that patches an object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from kaito.embedded.apiserver.bodies import go_word, load_json_or_yaml, media_type
from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.errors import StatusError, bad_request, unsupported_media_type
from kaito.embedded.apiserver.go_json import syntax_error
from kaito.embedded.apiserver.patching.errors import PatchError
from kaito.embedded.apiserver.patching.json_patch import json_patch
from kaito.embedded.apiserver.resources import Resource
from kaito.embedded.apiserver.store import Object
from kaito.kube.merge_patch import merge_patch

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
Patch = Callable[[Object], Object]
_MAP = "map[string]interface {}"


def check_media_type(call: Call, resource: Resource) -> str:
    """The kind of patch. Raises a 415."""
    kind = media_type(call)
    if resource.custom:
        if kind not in (JSON_PATCH, MERGE_PATCH, APPLY_PATCH):
            raise unsupported_media_type((JSON_PATCH, MERGE_PATCH, APPLY_PATCH))
    elif kind not in (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH):
        raise StatusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    return kind


def parse(kind: str, raw: bytes, resource: Resource) -> Patch:
    """The patch as a function of an object (which it leaves alone). Raises a 400 for a body that is no patch."""
    strategic = kind == STRATEGIC_PATCH
    prefix = "" if strategic else "error decoding patch: "
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as problem:
        raise bad_request(f"{prefix}{syntax_error(raw) or problem}") from None
    if kind == JSON_PATCH:
        if document is None:
            return lambda obj: obj
        if not isinstance(document, list):
            word = go_word(document)
            raise bad_request(f"{prefix}json: cannot unmarshal {word} into Go value of type []handlers.jsonPatchOp")
        return lambda obj: _patched(json_patch, obj, document)
    if document is None and not strategic:
        raise bad_request("Invalid JSON Patch")
    if not isinstance(document, dict):
        raise bad_request(f"{prefix}json: cannot unmarshal {go_word(document)} into Go value of type {_MAP}")
    if kind == MERGE_PATCH:
        return lambda obj: merge(obj, document)
    return lambda obj: _strategic(resource, obj, document)


def parse_apply(raw: bytes) -> Object:
    """The configuration of a server-side apply. Raises a 400."""
    try:
        document = load_json_or_yaml(raw)
    except ValueError as problem:
        raise bad_request(f"error decoding YAML: error converting YAML to JSON: {problem}") from None
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise bad_request(
            f"error decoding YAML: json: cannot unmarshal {go_word(document)} into Go value of type {_MAP}"
        )
    return document


def _patched(function: Callable[[Object, Any], Object], obj: Object, document: Any) -> Object:
    try:
        return function(obj, document)
    except PatchError as problem:
        details: dict[str, Any] | None = {} if problem.status == 422 else None
        raise StatusError(problem.status, problem.reason, problem.message, details) from None


def merge(obj: Object, document: Object) -> Object:
    """A JSON merge patch applied; both arguments stay as they are."""
    merged: Object = merge_patch(obj, document)
    return merged


def _strategic(resource: Resource, obj: Object, document: Object) -> Object:
    patched = resource.strategy.merge_patch_strategically(obj, document)
    assert patched is not None, "custom resources were refused by their media type"
    return patched
