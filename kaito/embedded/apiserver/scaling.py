"""The scale subresource: autoscaling/v1 Scale as a view of an object's replicas."""

from __future__ import annotations

import copy
from typing import Any

import orjson
from aiohttp import web

from kaito.embedded.apiserver import patch_requests
from kaito.embedded.apiserver.answering import send
from kaito.embedded.apiserver.bodies import read_object
from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.errors import Cause, GroupResource, bad_request, invalid
from kaito.embedded.apiserver.listing import Reader
from kaito.embedded.apiserver.negotiating import choose
from kaito.embedded.apiserver.resources import Resource, ScalePaths, read_path
from kaito.embedded.apiserver.store import Entry, Object, ObjectKey
from kaito.embedded.apiserver.write_options import write_options
from kaito.embedded.apiserver.writing import Writer, ensure_name

_BUILTIN = ScalePaths(".spec.replicas", ".status.replicas")
_KIND = GroupResource("autoscaling", "Scale")
_KEPT = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


class Scaling:
    """Reads and writes Scale objects."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer

    async def answer(self, call: Call, resource: Resource, namespace: str) -> web.StreamResponse:
        form = choose(call.accept)
        name = call.info.name
        entry = self._reader.entry(resource, namespace, name)
        if call.info.verb == "get":
            return await send(call, orjson.dumps(scale_of(resource, entry)), form=form)
        kind = "UpdateOptions" if call.info.verb == "update" else "PatchOptions"
        if call.info.verb == "update":
            body, _ = await read_object(call, "Scale")
            self._check(body)
            ensure_name(body, name)

            def wanted(live: Entry) -> Object:
                return body
        else:
            patch_kind = patch_requests.check_media_type(call, resource)
            raw = await call.read_body()
            if patch_kind == patch_requests.APPLY_PATCH:
                applied = patch_requests.parse_apply(raw)

                def wanted(live: Entry) -> Object:
                    return patch_requests.merge(scale_of(resource, live), applied)
            else:
                if patch_kind == patch_requests.STRATEGIC_PATCH:
                    patch_kind = patch_requests.MERGE_PATCH  # a Scale has no lists, so both mean the same
                patch = patch_requests.parse(patch_kind, raw, resource)

                def wanted(live: Entry) -> Object:
                    return patch(scale_of(resource, live))

        options = write_options(
            call.query, call.headers, kind, apply=call.headers.get("Content-Type", "") == patch_requests.APPLY_PATCH
        )

        def mutate(live: Entry | None) -> Object:
            assert live is not None
            scale = wanted(live)
            replicas = (scale.get("spec") or {}).get("replicas") or 0
            _check_replicas(name, replicas)
            changed = copy.deepcopy(resource.content(live))
            _write_path(changed, paths_of(resource).spec_replicas, replicas)
            version = (scale.get("metadata") or {}).get("resourceVersion")
            changed["metadata"]["resourceVersion"] = version or live.object["metadata"]["resourceVersion"]
            return changed

        written = await self._writer.update(
            call, resource, ObjectKey(namespace, name), mutate, options, subresource="scale"
        )
        return await send(call, orjson.dumps(scale_of(resource, written.entry)), form=form)

    @staticmethod
    def _check(body: Object) -> None:
        kind = body.get("kind") or "Scale"
        if kind != "Scale":
            raise bad_request(f"the object provided is unrecognized (must be of type Scale): got {kind}")


def _check_replicas(name: str, replicas: Any) -> None:
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        word = "bool" if isinstance(replicas, bool) else "string"
        raise bad_request(
            'Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal '
            f"{word} into Go struct field ScaleSpec.spec.replicas of type int32"
        )
    if replicas < 0:
        message = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise invalid(_KIND, name, [Cause("FieldValueInvalid", message, "spec.replicas")])


def paths_of(resource: Resource) -> ScalePaths:
    return resource.scale or _BUILTIN


def scale_of(resource: Resource, entry: Entry) -> Object:
    """The Scale of an object."""
    obj = entry.object
    paths = paths_of(resource)
    metadata = {name: obj["metadata"][name] for name in _KEPT if name in obj["metadata"]}
    replicas = read_path(obj, paths.spec_replicas)
    status: dict[str, Any] = {"replicas": read_path(obj, paths.status_replicas) or 0}
    if resource.custom:
        selector = read_path(obj, paths.selector) if paths.selector else None
        if selector:
            status["selector"] = selector
    else:
        selector = (obj.get("spec") or {}).get("selector")
        if selector:
            status["selector"] = selector_text(selector)
    spec = {"replicas": replicas} if replicas else {}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}


def selector_text(selector: dict[str, Any]) -> str:
    """A LabelSelector (or a plain map) in the form of a query parameter."""
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    terms = [(key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        key, operator = expression["key"], expression["operator"]
        values = ",".join(sorted(expression.get("values") or ()))
        text = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}.get(
            operator, f"!{key}"
        )
        terms.append((key, text))
    return ",".join(text for _, text in sorted(terms))


def _write_path(obj: Object, dotted: str, value: Any) -> None:
    *parents, last = dotted.strip(".").split(".")
    place = obj
    for part in parents:
        place = place.setdefault(part, {})
    place[last] = value
