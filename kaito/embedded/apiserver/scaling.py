"""The scale subresource: autoscaling/v1 Scale as a view of an object's replicas."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from kaito.embedded.apiserver import patch_requests, scale_ownership
from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.decoding import handle_remarks
from kaito.embedded.apiserver.errors import Cause, GroupResource, StatusError, bad_request, internal, invalid
from kaito.embedded.apiserver.listing import Reader
from kaito.embedded.apiserver.negotiating import choose
from kaito.embedded.apiserver.resources import Resource, ScalePaths, read_path
from kaito.embedded.apiserver.store import Entry, Object, ObjectKey
from kaito.embedded.apiserver.strategies import Undecodable
from kaito.embedded.apiserver.subresource_kinds import read_body, subresource_kind
from kaito.embedded.apiserver.write_options import WriteOptions, write_options
from kaito.embedded.apiserver.writes import bad_patch
from kaito.embedded.apiserver.writing import Writer, ensure_name, ensure_namespace, timestamp
from kaito.kube.clock import Clock

_BUILTIN = ScalePaths(".spec.replicas", ".status.replicas")
_KIND = GroupResource("autoscaling", "Scale")
_KEPT = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
_UNREGISTERED = 'no kind is registered for the type v1.Scale in scheme "pkg/runtime/scheme.go:110"'
Change = Callable[[Object], Object]
"""From the Scale that is to the Scale that is wanted."""


class Scaling:
    """Reads and writes Scale objects."""

    def __init__(self, reader: Reader, writer: Writer, clock: Clock) -> None:
        self._reader = reader
        self._writer = writer
        self._clock = clock

    async def answer(self, call: Call, resource: Resource, namespace: str) -> web.StreamResponse:
        form = choose(call.accept)
        name, verb = call.info.name, call.info.verb
        scales = subresource_kind("autoscaling/v1", "Scale", custom=resource.custom)
        if verb == "get":
            entry = self._reader.entry(resource, namespace, name)
            path = paths_of(resource).spec_replicas
            if resource.custom and read_path(resource.content(entry), path) is None:
                raise internal(f'the spec replicas field "{path}" does not exist')
            return await self._reader.show(call, scales, _entry(scale_of(resource, entry)), form=form)
        uid = ""
        if verb == "update":
            options = write_options(call.query, call.headers, "UpdateOptions")
            sent = await self._sent(call, resource, scales, namespace, options)
            uid = sent["metadata"].get("uid", "")
            change: Change = lambda _scale: copy.deepcopy(sent)  # noqa: E731
        else:
            change, options = await self._patch(call, resource, scales, namespace)

        def mutate(live: Entry | None) -> Object:
            assert live is not None
            return self._changed(resource, scales, live, change, options, call)

        written = await self._writer.update(
            call,
            resource,
            ObjectKey(namespace, name),
            mutate,
            options,
            subresource="scale",
            track=False,
            expect_uid=uid,
        )
        return await self._reader.show(call, scales, _entry(scale_of(resource, written.entry)), form=form)

    @staticmethod
    async def _sent(call: Call, resource: Resource, scales: Resource, namespace: str, options: WriteOptions) -> Object:
        try:
            scale = await read_body(call, scales, namespace, options.validation)
        except StatusError as problem:
            if resource.custom and problem.code == 400 and not problem.message.startswith("the namespace"):
                raise bad_request(_UNREGISTERED) from None  # what is wrong gets lost there
            raise
        ensure_name(scale, call.info.name)
        return scale

    async def _patch(
        self, call: Call, resource: Resource, scales: Resource, namespace: str
    ) -> tuple[Change, WriteOptions]:
        kind = patch_requests.check_media_type(call, resource)
        applies = kind == patch_requests.APPLY_PATCH
        options = write_options(call.query, call.headers, "PatchOptions", apply=applies)
        raw = await call.read_body()
        if applies:
            configuration = patch_requests.parse_apply(raw)

            def apply(scale: Object) -> Object:
                now = timestamp(self._clock.now())
                fresh = orjson.loads(orjson.dumps(configuration))
                return scales.strategy.apply(
                    scale, fresh, manager=options.manager, force=bool(options.force), time=now, subresource="scale"
                )

            return apply, options
        if kind == patch_requests.STRATEGIC_PATCH:
            kind = patch_requests.MERGE_PATCH  # a Scale has no lists, so both mean the same

        def patched(scale: Object) -> Object:
            wanted = patch_requests.parse(kind, raw, resource)(scale)
            try:
                decoded = scales.strategy.decode(wanted)
                handle_remarks(scales, decoded.remarks, options.validation, call)
            except Undecodable as problem:
                raise bad_patch(wanted, str(problem)) from None
            except StatusError as problem:
                raise bad_patch(wanted, problem.message.partition("handled as a Scale: ")[2]) from None
            ensure_name(decoded.object, call.info.name)
            ensure_namespace(decoded.object, namespace)
            return decoded.object

        return patched, options

    def _changed(
        self, resource: Resource, scales: Resource, live: Entry, change: Change, options: WriteOptions, call: Call
    ) -> Object:
        """The object after its Scale was changed."""
        path = paths_of(resource).spec_replicas
        before = scale_of(resource, live)
        scale_ownership.to_scale(resource, live.object, before, path)
        scale = change(orjson.loads(orjson.dumps(before)))
        replicas = (scale.get("spec") or {}).get("replicas", 0)
        if replicas < 0 and not resource.custom:
            message = f"Invalid value: {replicas}: must be greater than or equal to 0"
            raise invalid(_KIND, call.info.name, [Cause("FieldValueInvalid", message, "spec.replicas")])
        scale["status"] = before["status"]
        if call.headers.get("Content-Type", "") != patch_requests.APPLY_PATCH:
            now = timestamp(self._clock.now())
            scales.strategy.track(scale, before, manager=options.manager, time=now, subresource="scale")
        changed = copy.deepcopy(resource.content(live))
        _write_path(changed, path, replicas)
        version = (scale.get("metadata") or {}).get("resourceVersion", "")
        if version or not resource.custom:
            changed["metadata"]["resourceVersion"] = version
        scale_ownership.to_parent(resource, changed, scale, path)
        return changed


def _entry(scale: Object) -> Entry:
    bare = {name: value for name, value in scale.items() if name not in ("kind", "apiVersion")}
    return Entry(ObjectKey("", ""), 0, bare, orjson.dumps(bare))


def paths_of(resource: Resource) -> ScalePaths:
    return resource.scale or _BUILTIN


def scale_of(resource: Resource, entry: Entry) -> Object:
    """The Scale of an object, with its type."""
    obj = resource.content(entry)
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
    return ",".join(text for _, text in sorted(terms, key=lambda term: term[0]))


def _write_path(obj: Object, dotted: str, value: Any) -> None:
    *parents, last = dotted.strip(".").split(".")
    place = obj
    for part in parents:
        place = place.setdefault(part, {})
    place[last] = value
