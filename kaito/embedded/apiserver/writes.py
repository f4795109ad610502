"""Write requests: POST, PUT and PATCH from the request to the answer."""

from __future__ import annotations

import contextlib

import orjson
from aiohttp import web

from kaito.embedded.apiserver import patch_requests
from kaito.embedded.apiserver.bodies import ensure_readable, go_word, read_object
from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.decoding import check_types, decode, handle_remarks
from kaito.embedded.apiserver.definitions import is_terminating
from kaito.embedded.apiserver.errors import (
    Cause,
    GroupResource,
    StatusError,
    bad_request,
    forbidden,
    internal,
    invalid,
)
from kaito.embedded.apiserver.listing import Reader
from kaito.embedded.apiserver.negotiating import choose
from kaito.embedded.apiserver.patching.strategic import merged_patch
from kaito.embedded.apiserver.resources import Resource
from kaito.embedded.apiserver.schemas.decoding import DecodeError, decode_metadata, in_order
from kaito.embedded.apiserver.schemas.go_text import plain
from kaito.embedded.apiserver.store import Entry, Object, ObjectKey, Store
from kaito.embedded.apiserver.strategies import Undecodable
from kaito.embedded.apiserver.write_options import WriteOptions, write_options
from kaito.embedded.apiserver.writing import (
    Writer,
    allows_create_by_put,
    ensure_name,
    ensure_namespace,
    timestamp,
    undeterminable,
)
from kaito.kube.clock import Clock

_NO_OBJECT = (
    "json: cannot unmarshal array into Go value of type struct "
    r'{ APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'
)
_SCHEME = 'in scheme "pkg/runtime/scheme.go:110"'


class Writes:
    """Answers write requests on objects and on those subresources that are views of the object."""

    def __init__(self, store: Store, reader: Reader, writer: Writer, clock: Clock) -> None:
        self._store = store
        self._reader = reader
        self._writer = writer
        self._clock = clock

    async def create(self, call: Call, resource: Resource, namespace: str) -> web.StreamResponse:
        form = choose(call.accept)
        ensure_readable(call)
        options = write_options(call.query, call.headers, "CreateOptions")
        body, raw = await read_object(call, resource.kind.kind)
        obj = decode(resource, body, raw, options.validation, call)
        ensure_namespace(obj, namespace)
        if resource.custom and is_terminating(self._store, resource):
            why = "create not allowed while custom resource definition is terminating"
            raise forbidden(resource.group_resource, obj["metadata"].get("name", ""), why)
        written = await self._writer.create(call, resource, namespace, obj, options)
        return await self._reader.show(call, resource, written.entry, status=201, form=form)

    async def update(
        self, call: Call, resource: Resource, namespace: str, name: str, subresource: str
    ) -> web.StreamResponse:
        form = choose(call.accept)
        options = write_options(call.query, call.headers, "UpdateOptions")
        body, raw = await read_object(call, resource.kind.kind)
        if resource.custom and body.get("apiVersion") and _has_metadata(body):
            ensure_namespace(body, namespace)
            ensure_name(body, name)  # their type is looked at later
        obj = decode(resource, body, raw, options.validation, call)
        ensure_namespace(obj, namespace)
        ensure_name(obj, name)
        frozen = orjson.dumps(obj)
        first = [obj]

        def replace(_live: Entry | None) -> Object:
            fresh: Object = first.pop() if first else orjson.loads(frozen)
            return fresh

        written = await self._writer.update(
            call,
            resource,
            ObjectKey(namespace, name),
            replace,
            options,
            subresource=subresource,
            creates=not subresource and allows_create_by_put(resource),
            expect_uid=obj["metadata"].get("uid", ""),
        )
        status = 201 if written.created else 200
        return await self._reader.show(call, resource, written.entry, status=status, form=form)

    async def patch(
        self, call: Call, resource: Resource, namespace: str, name: str, subresource: str
    ) -> web.StreamResponse:
        kind = patch_requests.check_media_type(call, resource)
        form = choose(call.accept)
        options = write_options(call.query, call.headers, "PatchOptions", apply=kind == patch_requests.APPLY_PATCH)
        raw = await call.read_body()
        key = ObjectKey(namespace, name)
        if kind == patch_requests.APPLY_PATCH:
            return await self._apply(call, resource, key, raw, options, subresource)

        def mutate(live: Entry | None) -> Object:
            assert live is not None
            patch = patch_requests.parse(kind, raw, resource)  # whether there is an object is asked before
            patched = patch(resource.copy(live))
            if kind != patch_requests.STRATEGIC_PATCH:
                obj = self._decode_patched(resource, patched, key, options, call)
            else:
                try:
                    obj = self._convert_patched(resource, patched, key, options, call)
                except _Unreadable as problem:
                    shown = plain(merged_patch(resource.copy(live), orjson.loads(raw)))
                    raise bad_patch(shown, problem.why) from None
            _check_identity(obj, key)
            return obj

        written = await self._writer.update(call, resource, key, mutate, options, subresource=subresource)
        return await self._reader.show(call, resource, written.entry, form=form)

    @staticmethod
    def _decode_patched(
        resource: Resource,
        patched: Object,
        key: ObjectKey,
        options: WriteOptions,
        call: Call,
        *,
        keep_nulls: bool = False,
    ) -> Object:
        """Reads what a patch made of an object. Raises a 422 that shows it."""
        if not isinstance(patched, dict):
            raise bad_patch(_sorted(patched), f"couldn't get version/kind; json parse error: {_NO_OBJECT}")
        _check_patched_types(resource, patched, key.name, options, call)
        strict = options.validation == "Strict"
        shown = _sorted(patched) if strict else ""
        obj = check_types(resource, patched, b"")
        if obj.get("metadata") is None:
            obj["metadata"] = {}
        try:
            decoded = resource.strategy.decode(obj, keep_nulls=keep_nulls)
        except Undecodable:
            raise _Unreadable(patched, _first_problem(resource, obj)) from None
        if strict and decoded.remarks:
            raise bad_patch(shown, f"strict decoding error: {', '.join(decoded.remarks)}")
        handle_remarks(resource, decoded.remarks, options.validation, call)
        return decoded.object

    def _convert_patched(
        self, resource: Resource, patched: Object, key: ObjectKey, options: WriteOptions, call: Call
    ) -> Object:
        """As `_decode_patched`, where the real server converts instead: other words, and numbers are made to fit."""
        try:
            return self._decode_patched(resource, patched, key, options, call, keep_nulls=True)
        except _Unreadable as problem:
            why = resource.strategy.conversion_error(patched)
            if why is None:
                with contextlib.suppress(_Unreadable):
                    converted = resource.strategy.converted(patched)
                    return self._decode_patched(resource, converted, key, options, call)
            problem.why = why or problem.why
            raise

    async def _apply(
        self, call: Call, resource: Resource, key: ObjectKey, raw: bytes, options: WriteOptions, subresource: str
    ) -> web.StreamResponse:
        """Server-side apply: creates what is not there."""
        form = choose(call.accept)
        configuration = patch_requests.parse_apply(raw)
        if not configuration.get("kind") or not configuration.get("apiVersion"):
            group, _, version = str(configuration.get("apiVersion") or "").rpartition("/")
            raise bad_request(f"invalid object type: {group}/{version}, Kind={configuration.get('kind') or ''}")
        metadata = configuration.get("metadata")
        if isinstance(metadata, dict) and metadata.get("managedFields") is not None:
            raise bad_request("metadata.managedFields must be nil")
        if resource.custom and is_terminating(self._store, resource):
            raise forbidden(
                resource.group_resource,
                key.name,
                "create not allowed while custom resource definition is terminating",
            )

        def mutate(live: Entry | None) -> Object:
            applied = resource.strategy.apply(
                resource.copy(live) if live is not None else None,
                orjson.loads(orjson.dumps(configuration)),
                manager=options.manager,
                force=bool(options.force),
                time=timestamp(self._clock.now()),
                subresource=subresource,
            )
            try:
                decoded = self._convert_patched(resource, applied, key, options, call)
            except _Unreadable as problem:
                raise _inconvertible(configuration, problem.why) from None
            _check_identity(decoded, key)
            return decoded

        written = await self._writer.update(
            call, resource, key, mutate, options, subresource=subresource, creates=not subresource, track=False
        )
        status = 201 if written.created else 200
        return await self._reader.show(call, resource, written.entry, status=status, form=form)

    async def finalize(self, call: Call, resource: Resource, namespace: str) -> web.StreamResponse:
        """namespaces/finalize: replaces spec.finalizers, and ends a terminating namespace that has none left."""
        return await self.update(call, resource, "", call.info.name, "finalize")


def _has_metadata(body: Object) -> bool:
    """Whether a custom resource's metadata is there and can be read."""
    try:
        return isinstance(body.get("metadata"), dict) and bool(decode_metadata(body).object)
    except DecodeError:
        return False


def _first_problem(resource: Resource, obj: Object) -> str:
    """Why an object cannot be decoded: patched objects are read in the order of names."""
    try:
        resource.strategy.decode(in_order(obj))
    except Undecodable as problem:
        return str(problem)
    raise AssertionError("an object is decodable in one order and not in another")


class _Unreadable(StatusError):
    """The 422 for a patched object that cannot be decoded; `why` is the decoder's word."""

    def __init__(self, patched: Object, why: str) -> None:
        bad = bad_patch(patched, why)
        super().__init__(bad.code, bad.reason, bad.message, bad.details)
        self.why = why


def _inconvertible(configuration: Object, why: str) -> StatusError:
    """What server-side apply says instead: it converts where other patches decode."""
    metadata = configuration.get("metadata") or {}
    group, _, version = str(configuration.get("apiVersion", "")).rpartition("/")
    kind = f"{group}/{version}, Kind={configuration.get('kind', '')}"
    name = f"{metadata.get('namespace') or ''}/{metadata.get('name') or ''}"
    return StatusError(
        500,
        "",
        f"failed to convert new object ({name}; {kind}) to proper version: "
        f"unable to convert unstructured object to {kind}: {why}",
    )


def _check_identity(obj: Object, key: ObjectKey) -> None:
    ensure_name(obj, key.name)
    ensure_namespace(obj, key.namespace)


def _check_patched_types(resource: Resource, patched: Object, own_name: str, options: WriteOptions, call: Call) -> None:
    """What the real server makes of a patch that touched apiVersion or kind. Raises 400, 422 and 500."""
    for name in ("apiVersion", "kind"):
        if (value := patched.get(name)) is not None and not isinstance(value, str):
            word = f"json: cannot unmarshal {go_word(value)} into Go struct field .{name} of type string"
            raise bad_patch(patched, f"couldn't get version/kind; json parse error: {word}")
    version, kind = patched.get("apiVersion") or "", patched.get("kind") or ""
    if resource.custom:
        if not kind:
            raise bad_patch(patched, f"Object 'Kind' is missing in '{_sorted(patched)}'")
        if not version:
            raise internal("Object 'apiVersion' is missing in 'object has no apiVersion field'")
        return
    if kind and (version or resource.api_version, kind) != (resource.api_version, resource.kind.kind):
        place = f'version "{version}"' if version else f'the internal version of group "{resource.group}"'
        raise bad_patch(patched, f'no kind "{kind}" is registered for {place} {_SCHEME}')
    if version and version != resource.api_version:
        raise bad_patch(patched, f'no kind "{resource.kind.kind}" is registered for version "{version}" {_SCHEME}')
    if not version:
        # Read as the internal type, whose members have other names than the text: it finds none of them.
        unknown = [f'unknown field "{name}"' for name in sorted(patched) if name not in ("apiVersion", "kind")]
        handle_remarks(resource, unknown, options.validation, call)
        raise bad_request(undeterminable(own_name))


def _sorted(obj: Object) -> str:
    return orjson.dumps(obj, option=orjson.OPT_SORT_KEYS).decode()


def bad_patch(patched: Object | str, why: str) -> StatusError:
    """422 that shows the patched object (or the patch, as text)."""
    text = patched if isinstance(patched, str) else _sorted(patched)
    shown = orjson.dumps(text).decode()
    cause = Cause("FieldValueInvalid", f"Invalid value: {shown}: {why}", "patch")
    return invalid(GroupResource("", ""), "", [cause])
