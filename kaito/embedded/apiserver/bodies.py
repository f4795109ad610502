"""Request bodies: JSON, YAML or protobuf in, a dict out; the words for bodies that are none of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import orjson
import yaml

from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.errors import StatusError, bad_request, unsupported_media_type
from kaito.embedded.apiserver.go_json import syntax_error
from kaito.embedded.apiserver.negotiating import JSON, MEDIA_TYPES, PROTOBUF, YAML
from kaito.embedded.apiserver.schemas.decoding import DecodeError, decode
from kaito.embedded.apiserver.store import Object

LIMIT = 3 * 1024 * 1024
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SHOWN = 30  # bytes
_OPTIONS = "DeleteOptions"
_KEY = re.compile(rb'"\s*:')
_TYPE_META = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'


class _Loader(_LOADER):  # type: ignore[misc]
    """YAML as Kubernetes reads it: timestamps stay text."""


_Loader.yaml_implicit_resolvers = {
    key: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for key, resolvers in _LOADER.yaml_implicit_resolvers.items()
}


def load_json_or_yaml(raw: bytes) -> Any:
    """YAML; what is JSON too is read as that: its numbers with an exponent are texts to this YAML reader."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return load_yaml(raw)


def load_yaml(raw: bytes) -> Any:
    """The document with string keys, as JSON would have it. Raises ValueError with Go's prefix."""
    try:
        return orjson.loads(orjson.dumps(yaml.load(raw, _Loader), option=orjson.OPT_NON_STR_KEYS))  # noqa: S506
    except yaml.YAMLError as problem:
        text = getattr(problem, "problem", None) or str(problem).splitlines()[0]
        mark = getattr(problem, "problem_mark", None)
        at = mark.line if mark is not None else 0
        if at and isinstance(problem, yaml.scanner.ScannerError):
            at += 1  # go-yaml counts the lines of its parser from nought
        raise ValueError(f"yaml: line {at}: {text}" if at else f"yaml: {text}") from None
    except (TypeError, ValueError, RecursionError) as problem:
        raise ValueError(f"yaml: {problem}") from None


def media_type(call: Call) -> str:
    """The Content-Type without parameters; JSON where none is given."""
    return call.headers.get("Content-Type", "").split(";")[0].strip().lower() or JSON


def ensure_readable(call: Call) -> None:
    """Raises the 415 of a body that no decoder takes."""
    if media_type(call) not in (JSON, "text/json", YAML, "application/x-yaml", PROTOBUF):
        raise unsupported_media_type(MEDIA_TYPES)


async def read_object(call: Call, kind: str) -> tuple[Object, bytes]:
    """The body as an object of unknown type and its raw JSON (empty unless it came as JSON). Raises 400 and 415.

    `kind` is what the error texts say it should have been.
    """
    raw = await call.read_body()
    kind_of_body = media_type(call)
    if kind_of_body in (YAML, "application/x-yaml"):
        try:
            loaded = load_yaml(raw) if raw.strip() else None
        except ValueError as problem:
            raise unrecognized(kind, str(problem), raw) from None
        if loaded is None:
            loaded = {}
        if not isinstance(loaded, dict):
            raise unrecognized(kind, f"couldn't get version/kind; json parse error: {not_an_object(loaded)}", raw)
        _check_type(loaded, kind, raw)
        return loaded, b""
    if kind_of_body == PROTOBUF:
        from kaito.embedded.apiserver.protobuf.decoding import decode

        try:
            return decode(raw), b""
        except (ValueError, KeyError) as problem:
            raise unrecognized(kind, str(problem), raw) from None
    if kind_of_body not in (JSON, "text/json"):
        raise unsupported_media_type(MEDIA_TYPES)
    try:
        loaded = _loaded(raw)
    except ValueError as problem:
        raise unrecognized(kind, str(problem), raw) from None
    if loaded is None:
        return {}, raw
    if not isinstance(loaded, dict):
        raise unrecognized(kind, f"couldn't get version/kind; json parse error: {not_an_object(loaded)}", raw)
    _check_type(loaded, kind, raw)
    return loaded, raw


async def read_options(call: Call) -> Object | None:
    """The DeleteOptions in the body, None where there is no body. Raises a 415, and 500 for what they cannot be.

    The real server gives away the decoder's word as an error without a reason, and takes them in any version.
    """
    raw = await call.read_body()
    if not raw:
        return None
    try:
        return _options(raw, media_type(call))
    except (ValueError, DecodeError) as problem:
        raise StatusError(500, "", str(problem)) from None


def _options(raw: bytes, kind_of_body: str) -> Object:
    loaded: Any
    if kind_of_body in (YAML, "application/x-yaml"):
        loaded = load_yaml(raw)
    elif kind_of_body == PROTOBUF:
        from kaito.embedded.apiserver.protobuf.decoding import decode as decode_protobuf

        loaded = decode_protobuf(raw)
    elif kind_of_body == JSON:
        loaded = _loaded(raw)
    else:
        raise unsupported_media_type(MEDIA_TYPES)
    if not isinstance(loaded, dict):
        if loaded is None:
            return {}
        raise ValueError(f"couldn't get version/kind; json parse error: {not_an_object(loaded)}")
    version, kind = loaded.get("apiVersion") or "v1", loaded.get("kind") or _OPTIONS
    if kind != _OPTIONS:
        raise ValueError(
            f'no kind "{kind}" is registered for version "{version}" in scheme "pkg/runtime/scheme.go:110"'
        )
    return decode(loaded, "v1", _OPTIONS).object


def _loaded(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as problem:
        words = syntax_error(raw) or f"invalid character in string ({problem})"
        raise ValueError(f"couldn't get version/kind; json parse error: {words}") from None


def not_an_object(value: Any) -> str:
    """What Go says when it wanted apiVersion and kind and found no object."""
    return f"json: cannot unmarshal {go_word(value)} into Go value of type {_TYPE_META}"


def go_word(value: Any) -> str:
    """The JSON type of a value as encoding/json calls it."""
    words: dict[type, str] = {dict: "object", list: "array", str: "string", bool: "bool", type(None): "null"}
    return words.get(type(value), "number")


def unrecognized(kind: str, why: str, raw: bytes) -> StatusError:
    """400 with the start of the body: in hexadecimal where it does not look like JSON."""
    shown, rest = raw[:_SHOWN], " ..." if len(raw) > _SHOWN else ""
    text = shown.decode("utf-8", "replace") if raw[:1] == b"{" else shown.hex() or "<empty>"
    return bad_request(f"the object provided is unrecognized (must be of type {kind}): {why} ({text}{rest})")


def _check_type(loaded: Object, kind: str, raw: bytes) -> None:
    """apiVersion and kind are text, and the version names at most one group. Raises a 400."""
    for name in ("apiVersion", "kind"):
        value = loaded.get(name)
        if value is not None and not isinstance(value, str):
            word = f"json: cannot unmarshal {go_word(value)} into Go struct field .{name} of type string"
            raise unrecognized(kind, f"couldn't get version/kind; json parse error: {word}", raw)
    if (loaded.get("apiVersion") or "").count("/") > 1:
        raise unrecognized(kind, f"unexpected GroupVersion string: {loaded['apiVersion']}", raw)


def duplicate_fields(raw: bytes, obj: Object) -> list[str]:
    """`duplicate field "spec.a"` for every member that a JSON body names twice, in the order of the text."""
    if not raw or len(_KEY.findall(raw)) == _count_keys(obj):
        return []
    import json

    found: list[str] = []
    try:
        _walk(json.loads(raw, object_pairs_hook=_Pairs), "", found.append)
    except (ValueError, RecursionError):
        return []
    return list(dict.fromkeys(f'duplicate field "{path}"' for path in found))


class _Pairs(list[tuple[str, Any]]):
    """An object as its members, duplicates and all."""


def _walk(value: Any, path: str, report: Callable[[str], None]) -> None:
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, item in value:
            below = f"{path}.{key}" if path else key
            if key in seen:
                report(below)
            seen.add(key)
            _walk(item, below, report)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _walk(item, f"{path}[{index}]", report)


def _count_keys(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(_count_keys(item) for item in value.values() if isinstance(item, (dict, list)))
    return sum(_count_keys(item) for item in value if isinstance(item, (dict, list)))
