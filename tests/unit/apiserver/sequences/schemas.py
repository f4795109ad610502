"""Random structural schemas, values of them, and what is wrong with either."""

from __future__ import annotations

import copy
import random
from typing import Any

Json = dict[str, Any]
WORDS = ("a", "ab", "red", "x-1", "Bad_Value", "", "é", "10Gi", "2024-01-01", "1.5", "a.b/c", "10.0.0.1")
NUMBERS = (0, 1, -1, 2, 3, 7, 10, 100, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 1.5, -0.5, 1e21, 0.1)
FORMATS: dict[str, tuple[str, ...]] = {
    "date-time": ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00.5+02:00", "2024-1-1", "2024-02-30T00:00:00Z"),
    "date": ("2024-01-01", "2024-13-01", "2024-02-30"),
    "duration": ("1h", "1h30m", "5d", "-1.5s", "1", "1x", ""),
    "byte": ("YQ==", "YQ", "????", ""),
    "ipv4": ("10.0.0.1", "010.0.0.1", "1.2.3", "::1"),
    "ipv6": ("::1", "1::2::3", "10.0.0.1", "::ffff:1.2.3.4"),
    "cidr": ("10.0.0.0/8", "10.0.0.0/33", "10.0.0.1", "::/0"),
    "mac": ("00:1b:44:11:3a:b7", "00-1b-44-11-3a-b7", "001b.4411.3ab7", "x"),
    "uri": ("http://x.dev/a?b", "/a", "a b", "mailto:x@y", "http://[::1"),
    "email": ("a@b.dev", "a@b", "a", "A <a@b.dev>"),
    "hostname": ("a.b", "a_b", "-a", "a" * 64, "1.2"),
    "uuid": ("123e4567-e89b-12d3-a456-426614174000", "123e4567e89b12d3a456426614174000", "123e4567"),
    "uuid4": ("123e4567-e89b-42d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"),
    "hexcolor": ("#fff", "fff", "#ffff"),
    "rgbcolor": ("rgb(1,2,3)", "rgb(1,2)"),
    "creditcard": ("4111111111111111", "4111"),
    "ssn": ("123-45-6789", "123"),
    "isbn": ("978-0-306-40615-7", "9780306406157", "0306406152", "1"),
    "k8s-short-name": ("a-b", "a.b", "A"),
    "k8s-long-name": ("a.b", "a..b", "A"),
    "password": ("secret",),
    "bogus-format": ("a",),
    "int32": ("a",),
}
PATTERNS = ("^[a-z]+$", "^a", "[0-9]", r"^\d{2,}$", "(a|b)c?", r"^\p{L}+$", "^[[:alpha:]]*$", "^(?i)A", "x$")


def schema(rng: random.Random, depth: int = 2) -> Json:
    """A schema that is nearly always sound."""
    kinds = ["string"] * 5 + ["integer"] * 3 + ["number", "boolean", "int-or-string"]
    if depth:
        kinds += ["object"] * 4 + ["map"] * 2 + ["array"] * 4 + ["anything", "embedded"]
    made: Json = _MAKERS[rng.choice(kinds)](rng, depth)
    if rng.random() < 0.15:
        made["nullable"] = True
    if rng.random() < 0.12:
        made["description"] = "about it"
    if rng.random() < 0.2 and made.get("type"):
        made["default"] = value(rng, made, odd=0.04)
    return made


def _string(rng: random.Random, _depth: int) -> Json:
    made: Json = {"type": "string"}
    what = rng.random()
    if what < 0.15:
        made["enum"] = rng.sample(["a", "ab", "red", ""], rng.randint(1, 3))
    elif what < 0.35:
        made["format"] = rng.choice(sorted(FORMATS))
    elif what < 0.5:
        made["pattern"] = rng.choice(PATTERNS)
    elif what < 0.75:
        made["maxLength"] = rng.choice([1, 2, 5, 20])
        if rng.random() < 0.4:
            made["minLength"] = rng.choice([0, 1, 2])
    return made


def _integer(rng: random.Random, _depth: int) -> Json:
    made: Json = {"type": "integer"}
    if rng.random() < 0.3:
        made["format"] = rng.choice(["int32", "int64", "uint32"])
    return made | _bounds(rng, [0, 1, 2, 10, -1, 100])


def _number(rng: random.Random, _depth: int) -> Json:
    made: Json = {"type": "number"}
    if rng.random() < 0.3:
        made["format"] = rng.choice(["float", "double"])
    return made | _bounds(rng, [0, 0.5, 1, 1.5, 10, -0.5])


def _bounds(rng: random.Random, limits: list[float]) -> Json:
    made: Json = {}
    if rng.random() < 0.3:
        made["minimum"] = rng.choice(limits)
        if rng.random() < 0.3:
            made["exclusiveMinimum"] = True
    if rng.random() < 0.3:
        made["maximum"] = rng.choice(limits)
        if rng.random() < 0.3:
            made["exclusiveMaximum"] = True
    if rng.random() < 0.15:
        made["multipleOf"] = rng.choice([1, 2, 5, 0.5, 0.1])
    if rng.random() < 0.08:
        made["enum"] = rng.sample([1, 2, 10, 0], 2)
    return made


def _boolean(_rng: random.Random, _depth: int) -> Json:
    return {"type": "boolean"}


def _int_or_string(rng: random.Random, _depth: int) -> Json:
    made: Json = {"x-kubernetes-int-or-string": True}
    if rng.random() < 0.4:
        made["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    elif rng.random() < 0.3:
        made["allOf"] = [{"anyOf": [{"type": "integer"}, {"type": "string"}]}, {"pattern": "^[0-9]+%?$"}]
    if rng.random() < 0.3:
        made["pattern"] = "^[0-9]+%?$"
    return made


def _object(rng: random.Random, depth: int) -> Json:
    names = rng.sample(["a", "b", "c", "name", "kind", "x-y", "in"], rng.randint(1, 4))
    made: Json = {"type": "object", "properties": {name: schema(rng, depth - 1) for name in names}}
    if rng.random() < 0.4:
        made["required"] = rng.sample(names, 1)
    if rng.random() < 0.1:
        made["x-kubernetes-preserve-unknown-fields"] = True
    if rng.random() < 0.1:
        made["x-kubernetes-map-type"] = rng.choice(["granular", "atomic"])
    if rng.random() < 0.1:
        made["minProperties"] = rng.choice([0, 1, 2])
    if rng.random() < 0.1:
        made["maxProperties"] = rng.choice([1, 2, 3])
    if rng.random() < 0.2:
        made |= _combination(rng, names)
    return made


def _combination(rng: random.Random, names: list[str]) -> Json:
    parts: list[Json] = [{"required": [rng.choice(names)]} for _ in range(2)]
    if rng.random() < 0.4:
        limits = [{"minLength": 2}, {"maximum": 5}, {"enum": ["a", 1]}, {"pattern": "^a"}]
        parts[1] = {"properties": {rng.choice(names): rng.choice(limits)}}
    keyword = rng.choice(["oneOf", "anyOf", "allOf", "not"])
    return {keyword: parts[0] if keyword == "not" else parts}


def _map(rng: random.Random, depth: int) -> Json:
    made: Json = {"type": "object", "additionalProperties": schema(rng, depth - 1)}
    if rng.random() < 0.3:
        made["maxProperties"] = rng.choice([1, 2, 3])
    if rng.random() < 0.1:
        made["minProperties"] = 1
    return made


def _array(rng: random.Random, depth: int) -> Json:
    made: Json = {"type": "array", "items": schema(rng, depth - 1)}
    if rng.random() < 0.3:
        made["maxItems"] = rng.choice([1, 2, 3])
    if rng.random() < 0.15:
        made["minItems"] = rng.choice([0, 1, 2])
    kind = rng.random()
    if kind < 0.2:
        made["x-kubernetes-list-type"] = "set"
        made["items"] = {"type": rng.choice(["string", "integer"])}
    elif kind < 0.5:
        made["x-kubernetes-list-type"] = "map"
        made["x-kubernetes-list-map-keys"] = ["name"]
        made["items"] = {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "v": schema(rng, depth - 1)},
        }
    elif kind < 0.6:
        made["x-kubernetes-list-type"] = "atomic"
    return made


def _anything(rng: random.Random, _depth: int) -> Json:
    made: Json = {"x-kubernetes-preserve-unknown-fields": True}
    if rng.random() < 0.6:
        made["type"] = "object"
    return made


def _embedded(rng: random.Random, depth: int) -> Json:
    made: Json = {"type": "object", "x-kubernetes-embedded-resource": True}
    if rng.random() < 0.5:
        made["x-kubernetes-preserve-unknown-fields"] = True
    else:
        made["properties"] = {"spec": schema(rng, depth - 1)}
    return made


_MAKERS = {
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "int-or-string": _int_or_string,
    "object": _object,
    "map": _map,
    "array": _array,
    "anything": _anything,
    "embedded": _embedded,
}


def value(rng: random.Random, of: Json, odd: float = 0.05) -> Any:
    """A value that fits the schema more often than not; `odd` is the share of parts that are anything at all."""
    if rng.random() < odd:
        return copy.deepcopy(rng.choice([None, 0, -1, "", True, [], {}, "x", ["a", "a"], {"a": None}, 1.5, 2**63]))
    if of.get("enum") and rng.random() < 0.8:
        return rng.choice(of["enum"])
    if of.get("nullable") and rng.random() < 0.2:
        return None
    if of.get("x-kubernetes-embedded-resource"):
        return _embedded_value(rng, of, odd)
    if of.get("x-kubernetes-int-or-string"):
        return rng.choice([1, "50%", "a", 80, 1.5, "8"])
    match of.get("type"):
        case "string":
            return rng.choice(FORMATS[of["format"]] if of.get("format") in FORMATS else WORDS)
        case "integer":
            return rng.choice(NUMBERS[:13]) if rng.random() < 0.8 else rng.choice(NUMBERS)
        case "number":
            return rng.choice(NUMBERS)
        case "boolean":
            return rng.random() < 0.5
        case "array":
            return [value(rng, of.get("items") or {}, odd) for _ in range(rng.choice([0, 1, 1, 2, 2, 3]))]
        case "object":
            return _object_value(rng, of, odd)
    return copy.deepcopy(rng.choice([{"free": 1}, {"a": {"b": [1, None]}}, "x", 1, None]))


def _object_value(rng: random.Random, of: Json, odd: float) -> Json:
    made: Json = {}
    additional = of.get("additionalProperties")
    if isinstance(additional, dict):
        return {name: value(rng, additional, odd) for name in rng.sample(["k", "l", "a.b/c", ""], rng.randint(0, 2))}
    for name, child in (of.get("properties") or {}).items():
        if rng.random() < (0.92 if name in (of.get("required") or ()) else 0.65):
            made[name] = value(rng, child, odd)
    if rng.random() < 0.1:
        made["bogus"] = rng.choice([1, None, {"a": 1}])
    return made


def _embedded_value(rng: random.Random, of: Json, odd: float) -> Json:
    made: Json = {"apiVersion": rng.choice(["v1", "a.b/v1", "", "a/b/c"]), "kind": rng.choice(["Pod", "pod", ""])}
    if rng.random() < 0.7:
        name = rng.choice(["x", "Bad_Name", ""])
        made["metadata"] = {"name": name, "labels": {"a": rng.choice(["b", "??"])}, "bogus": 1}
    if "spec" in (of.get("properties") or {}):
        made["spec"] = value(rng, of["properties"]["spec"], odd)
    else:
        made["spec"] = {"free": 1}
    return {key: item for key, item in made.items() if rng.random() < 0.9}
