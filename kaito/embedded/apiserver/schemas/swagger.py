"""OpenAPI v2 of the built-in kinds, made from the v3 documents: whole as JSON, the operations alone as protobuf.

kubectl still reads v2, in protobuf, for the kind `List`: it looks there for an operation that takes `fieldValidation`.
Custom resources are in v3 only; nothing known to us looks for them here.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, Final

import orjson
import yaml

from kaito.embedded.apiserver.protobuf.wire import delimited, tag, varint
from kaito.embedded.apiserver.schemas.documents import REFERENCE, definitions, paths

Json = dict[str, Any]

PROTOBUF_TYPES: Final = (
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
)
"""What clients accept; answers carry the second, which is a media type."""
_INFO: Final = {"title": "Kubernetes", "version": "1.34"}
_METHODS: Final = {"get": 2, "put": 3, "post": 4, "delete": 5, "options": 6, "head": 7, "patch": 8}
"""Methods and their field numbers in gnostic's PathItem (OpenAPIv2.proto)."""
_QUERY, _PATH = 3, 4
"""Field numbers of gnostic's NonBodyParameter."""


@functools.cache
def openapi_v2() -> bytes:
    """The Swagger 2.0 document as JSON."""
    document = {
        "swagger": "2.0",
        "info": _INFO,
        "paths": {name: _path_item(item) for name, item in paths().items()},
        "definitions": {name: _definition(schema) for name, schema in definitions().items()},
    }
    return orjson.dumps(document).replace(REFERENCE.encode(), b"#/definitions/")


@functools.cache
def openapi_v2_protobuf() -> bytes:
    """Gnostic's Document of every operation's id, parameters and extensions; texts and definitions are left out."""
    named = (_text(1, name) + delimited(2, _encode_item(_path_item(item))) for name, item in paths().items())
    info = _text(1, _INFO["title"]) + _text(2, _INFO["version"])
    return _text(1, "2.0") + delimited(2, info) + delimited(8, b"".join(delimited(2, path) for path in named))


def _path_item(item: Json) -> Json:
    converted: Json = {method: _operation(item[method]) for method in _METHODS if method in item}
    if "parameters" in item:
        converted["parameters"] = [_parameter(parameter) for parameter in item["parameters"]]
    return converted


def _operation(operation: Json) -> Json:
    """A v3 operation as v2 writes it: the body is a parameter, media types stand beside the schemas."""
    body = operation.get("requestBody")
    parameters = [_parameter(parameter) for parameter in operation.get("parameters", ())]
    if body:
        schema = next(iter(body["content"].values()))["schema"]
        parameters.insert(0, {"name": "body", "in": "body", "required": bool(body.get("required")), "schema": schema})
    produced: dict[str, None] = {}
    responses: Json = {}
    for code, response in operation["responses"].items():
        responses[code] = {"description": response["description"]}
        for media_type, content in response.get("content", {}).items():
            produced[media_type] = None
            responses[code]["schema"] = content["schema"]
    converted = {key: value for key, value in operation.items() if key not in ("requestBody", "parameters")}
    return {
        **converted,
        "consumes": [*body["content"]] if body else ["*/*"],
        "produces": [*produced] or ["application/json"],
        "schemes": ["https"],
        **({"parameters": parameters} if parameters else {}),
        "responses": responses,
    }


def _parameter(parameter: Json) -> Json:
    """A v3 parameter with its schema's keys inline."""
    return {**{key: value for key, value in parameter.items() if key != "schema"}, **parameter["schema"]}


def _definition(schema: Json) -> Json:
    """A schema as v2 writes it: no defaults, and a reference in place of v3's `allOf` of one."""
    converted = {key: value for key, value in schema.items() if key not in ("allOf", "default")}
    for reference in schema.get("allOf", ()):
        converted.update(reference)
    if "oneOf" in converted:  # What is a string or a number is a string to v2.
        del converted["oneOf"]
        converted["type"] = "string"
    if "properties" in converted:
        converted["properties"] = {name: _definition(item) for name, item in converted["properties"].items()}
    for inner in ("items", "additionalProperties"):
        if isinstance(converted.get(inner), dict):
            converted[inner] = _definition(converted[inner])
    return converted


def _encode_item(item: Json) -> bytes:
    methods = (delimited(number, _encode_operation(item[name])) for name, number in _METHODS.items() if name in item)
    return b"".join(methods) + b"".join(delimited(9, _encode_parameter(each)) for each in item.get("parameters", ()))


def _encode_operation(operation: Json) -> bytes:
    return b"".join(
        (
            *(_text(1, name) for name in operation.get("tags", ())),
            _text(5, operation.get("operationId", "")),
            *(_text(6, media_type) for media_type in operation["produces"]),
            *(_text(7, media_type) for media_type in operation["consumes"]),
            *(
                delimited(8, _encode_parameter(each))
                for each in operation.get("parameters", ())
                if each["in"] != "body"
            ),
            *_extensions(operation),
        )
    )


def _encode_parameter(parameter: Json) -> bytes:
    """ParametersItem > Parameter > NonBodyParameter > the sub-schema of its place."""
    in_path = parameter["in"] == "path"
    content = (_flag(1) if parameter.get("required") else b"") + _text(2, parameter["in"])
    # Path parameters have no allow_empty_value, so that their type is one field earlier.
    content += _text(4, parameter["name"]) + _text(5 if in_path else 6, parameter.get("type", "string"))
    return delimited(1, delimited(2, delimited(_PATH if in_path else _QUERY, content)))


def _extensions(operation: Json) -> Iterator[bytes]:
    for name, value in operation.items():
        if name.startswith("x-"):
            text = yaml.safe_dump(value) if isinstance(value, (dict, list)) else f"{value}\n"
            yield delimited(13, _text(1, name) + delimited(2, _text(2, text)))


def _text(number: int, text: str) -> bytes:
    return delimited(number, text.encode()) if text else b""


def _flag(number: int) -> bytes:
    return tag(number, 0) + varint(1)
