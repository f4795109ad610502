"""OpenAPI documents: those of the built-in group versions as the real server gives them, and v2 made from the same."""

from __future__ import annotations

import functools
import gzip
import hashlib
from importlib import resources
from typing import Any, Final

import orjson

Json = dict[str, Any]
REFERENCE: Final = "#/components/schemas/"


@functools.cache
def _data() -> Any:
    content = resources.files(__package__).joinpath("data", "openapi.json.gz").read_bytes()
    return orjson.loads(gzip.decompress(content))


@functools.cache
def openapi_v3_index() -> dict[str, str]:
    """Document path -> content hash, e.g. `apis/apps/v1`; link them as `/openapi/v3/<path>?hash=<hash>`."""
    return {path: document_hash(openapi_v3(path)) for path in _data()["documents"]}


@functools.lru_cache(maxsize=16)
def openapi_v3(path: str) -> bytes:
    """The document of a path of the index, as JSON. Raises KeyError for a path that is not in it."""
    document = dict(_data()["documents"][path])
    names = document.pop("schemas")
    definitions = _data()["definitions"]
    components = dict(document.get("components") or {})
    if names:
        components = {"schemas": {name: definitions[name] for name in names}, **components}
    document["components"] = components
    return orjson.dumps(document)


def document_hash(content: bytes) -> str:
    """The hash that clients cache a document under."""
    return hashlib.sha512(content).hexdigest().upper()


def definition(name: str) -> Json:
    """One shared definition with its descriptions. Raises KeyError."""
    found: Json = _data()["definitions"][name]
    return found


@functools.cache
def openapi_v2() -> bytes:
    """A Swagger 2.0 document with every definition; its paths are left out, clients that need them read v3."""
    text = orjson.dumps(_data()["definitions"]).replace(REFERENCE.encode(), b"#/definitions/")
    definitions = orjson.loads(text)
    return orjson.dumps(
        {
            "swagger": "2.0",
            "info": {"title": "Kubernetes", "version": "v1.34.4"},
            "paths": {},
            "definitions": {name: _without_all_of(schema) for name, schema in definitions.items()},
        }
    )


def _without_all_of(schema: Any) -> Any:
    """v2 writes a reference with neighbours as the reference alone."""
    if isinstance(schema, list):
        return [_without_all_of(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    all_of = schema.get("allOf")
    if isinstance(all_of, list) and len(all_of) == 1:
        kept = {key: value for key, value in schema.items() if key not in ("allOf", "default")}
        return {**kept, **all_of[0]}
    return {key: _without_all_of(value) for key, value in schema.items()}
