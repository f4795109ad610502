"""OpenAPI v3 documents of the built-in group versions, as the real server gives them."""

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


def definitions() -> Json:
    """Every shared definition by name; not to be changed."""
    found: Json = _data()["definitions"]
    return found


def paths() -> Json:
    """The path items of all documents; not to be changed."""
    return {name: item for document in _data()["documents"].values() for name, item in document["paths"].items()}
