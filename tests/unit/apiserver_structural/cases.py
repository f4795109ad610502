"""Schemas and objects that were played to a real kube-apiserver 1.34.4; `record.py` writes down what it answered."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

SPEC: Json = {
    "type": "object",
    "required": ["color"],
    "properties": {
        "color": {"type": "string", "enum": ["red", "green", "blue"]},
        "size": {"type": "integer", "minimum": 0, "maximum": 10, "default": 3},
        "wide": {"type": "integer", "format": "int64"},
        "narrow": {"type": "integer", "format": "int32"},
        "ratio": {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 1.5, "exclusiveMaximum": True},
        "even": {"type": "integer", "multipleOf": 2},
        "flag": {"type": "boolean"},
        "name": {"type": "string", "minLength": 2, "maxLength": 5, "pattern": "^[a-z]+$"},
        "when": {"type": "string", "format": "date-time"},
        "day": {"type": "string", "format": "date"},
        "id": {"type": "string", "format": "uuid"},
        "address": {"type": "string", "format": "ipv4"},
        "mail": {"type": "string", "format": "email"},
        "link": {"type": "string", "format": "uri"},
        "blob": {"type": "string", "format": "byte"},
        "span": {"type": "string", "format": "duration"},
        "network": {"type": "string", "format": "cidr"},
        "list": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3},
        "unique": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "parts": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "v": {"type": "integer", "default": 7}},
            },
        },
        "labels": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "maxProperties": 2,
            "minProperties": 1,
        },
        "numbers": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}},
        "port": {"x-kubernetes-int-or-string": True},
        "portOf": {
            "x-kubernetes-int-or-string": True,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": "^[0-9]+%?$",
        },
        "anything": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "mixed": {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": {"known": {"type": "object", "properties": {"x": {"type": "integer"}}}},
        },
        "maybe": {"type": "string", "nullable": True},
        "maybeDefault": {"type": "string", "nullable": True, "default": "d"},
        "template": {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "x-kubernetes-preserve-unknown-fields": True,
        },
        "pod": {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}},
        },
        "one": {
            "type": "object",
            "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
            "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
        },
        "any": {
            "type": "object",
            "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
            "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
        },
        "all": {
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "allOf": [{"required": ["a"]}],
        },
        "not": {
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "not": {"required": ["a"]},
        },
        "nested": {
            "type": "object",
            "default": {},
            "properties": {
                "deep": {"type": "string", "default": "x"},
                "more": {"type": "object", "properties": {"z": {"type": "integer", "default": 1}}},
            },
        },
        "matrix": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
    },
}

PLAIN: Json = {
    "type": "object",
    "properties": {
        "spec": SPEC,
        "status": {
            "type": "object",
            "properties": {"phase": {"type": "string", "default": "New"}, "n": {"type": "integer"}},
        },
    },
}

PLAIN_SPECS: list[Json] = [
    {},
    {"color": "red"},
    {"color": "purple"},
    {"color": 5},
    {"color": None},
    {"color": "red", "size": "x"},
    {"color": "red", "size": -1},
    {"color": "red", "size": 11},
    {"color": "red", "size": 1.5},
    {"color": "red", "size": 2.0},
    {"color": "red", "size": True},
    {"color": "red", "size": None},
    {"color": "red", "size": [1]},
    {"color": "red", "size": {"a": 1}},
    {"color": "red", "wide": 2**63},
    {"color": "red", "narrow": 2**31},
    {"color": "red", "ratio": 0},
    {"color": "red", "ratio": 1.5},
    {"color": "red", "ratio": 1},
    {"color": "red", "ratio": "1"},
    {"color": "red", "even": 3},
    {"color": "red", "flag": "true"},
    {"color": "red", "flag": 1},
    {"color": "red", "name": "a"},
    {"color": "red", "name": "abcdef"},
    {"color": "red", "name": "AB"},
    {"color": "red", "name": "ABCDEF"},
    {"color": "red", "name": 7},
    {"color": "red", "when": "yesterday"},
    {"color": "red", "when": "2026-01-01T00:00:00Z"},
    {"color": "red", "day": "2026-1-1"},
    {"color": "red", "id": "nope"},
    {"color": "red", "address": "1.2.3"},
    {"color": "red", "mail": "nope"},
    {"color": "red", "link": "not a uri"},
    {"color": "red", "blob": "???"},
    {"color": "red", "span": "5 parsecs"},
    {"color": "red", "span": "5m"},
    {"color": "red", "network": "10.0.0.0"},
    {"color": "red", "list": []},
    {"color": "red", "list": ["a", "b", "c", "d"]},
    {"color": "red", "list": "a"},
    {"color": "red", "list": {"a": 1}},
    {"color": "red", "list": ["a", 1, None]},
    {"color": "red", "unique": ["a", "b", "a"]},
    {"color": "red", "unique": ["a", "a", "b", "b"]},
    {"color": "red", "parts": [{"name": "a"}, {"name": "a", "v": 1}]},
    {"color": "red", "parts": [{"v": 1}]},
    {"color": "red", "parts": [{"name": "a", "bogus": 1, "v": "x"}]},
    {"color": "red", "parts": [None]},
    {"color": "red", "labels": {}},
    {"color": "red", "labels": {"a": "1", "b": "2", "c": "3"}},
    {"color": "red", "labels": {"a": 1}},
    {"color": "red", "labels": {"a": None}},
    {"color": "red", "labels": ["a"]},
    {"color": "red", "numbers": {"a": 0, "b": "x"}},
    {"color": "red", "port": 80},
    {"color": "red", "port": "http"},
    {"color": "red", "port": True},
    {"color": "red", "port": 1.5},
    {"color": "red", "port": {"a": 1}},
    {"color": "red", "portOf": "50%"},
    {"color": "red", "portOf": "x"},
    {"color": "red", "portOf": 5},
    {"color": "red", "anything": {"a": {"b": [1, None]}}},
    {"color": "red", "anything": "x"},
    {"color": "red", "mixed": {"q": 1, "known": {"x": 1, "y": 2}}},
    {"color": "red", "maybe": None},
    {"color": "red", "maybe": 1},
    {"color": "red", "maybeDefault": None},
    {
        "color": "red",
        "template": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "bogus": 1}, "spec": {"a": 1}},
    },
    {"color": "red", "template": {"kind": "Pod"}},
    {
        "color": "red",
        "template": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "Bad_Name", "labels": {"a": "??"}}},
    },
    {"color": "red", "pod": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"a": "b", "c": 1}}},
    {"color": "red", "one": {}},
    {"color": "red", "one": {"a": "1", "b": "2"}},
    {"color": "red", "one": {"a": "1"}},
    {"color": "red", "any": {}},
    {"color": "red", "all": {}},
    {"color": "red", "not": {"a": "1"}},
    {"color": "red", "nested": {}},
    {"color": "red", "nested": {"more": {}}},
    {"color": "red", "nested": None},
    {"color": "red", "matrix": [[1, "x"], ["y"], 5]},
    {"color": "red", "bogus": 1, "nested": {"bogus": {"a": 1}}},
    {"color": "purple", "size": "x", "name": "A", "list": [], "bogus": 1},
    {"color": "red", "name": "ab", "unique": ["x"], "parts": [{"name": "a"}, {"name": "b", "v": 2}], "ratio": 0.25},
]

RULES: Json = {
    "type": "object",
    "x-kubernetes-validations": [
        {"rule": "!has(self.spec) || self.spec.a <= self.spec.b", "message": "a must not exceed b"},
        {"rule": "self.metadata.name.startsWith('t')"},
    ],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["a", "b"],
            "x-kubernetes-validations": [
                {
                    "rule": "self.a != 13",
                    "messageExpression": "self.b > 9 ? 'a is 13 and b big' : 'a is 13'",
                    "reason": "FieldValueForbidden",
                    "fieldPath": ".a",
                },
                {"rule": "self.a >= oldSelf.a", "message": "a must not shrink"},
                {"rule": "!has(oldSelf.once) || has(self.once)", "message": "once is required once set"},
                {
                    "rule": "!oldSelf.hasValue() || self.b >= oldSelf.value().b",
                    "optionalOldSelf": True,
                    "message": "b must not shrink",
                },
            ],
            "properties": {
                "a": {"type": "integer"},
                "b": {"type": "integer", "default": 5},
                "once": {
                    "type": "string",
                    "maxLength": 20,
                    "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "once is immutable"}],
                },
                "keys": {
                    "type": "array",
                    "maxItems": 10,
                    "items": {
                        "type": "string",
                        "maxLength": 20,
                        "x-kubernetes-validations": [
                            {"rule": "self.find('^([^/]+)') in ['a','b']", "message": "only a or b"},
                        ],
                    },
                    "x-kubernetes-validations": [
                        {"rule": "self.all(x, self.exists_one(y, x == y))", "message": "no duplicates"},
                    ],
                },
                "map": {
                    "type": "object",
                    "maxProperties": 5,
                    "additionalProperties": {"type": "string", "maxLength": 9},
                    "x-kubernetes-validations": [{"rule": "self.all(k, k != 'bad')", "message": "bad key"}],
                },
                "items": {
                    "type": "array",
                    "maxItems": 5,
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "x-kubernetes-validations": [
                            {
                                "rule": "!has(oldSelf.v) || self.v == oldSelf.v",
                                "message": "v is immutable",
                                "fieldPath": ".v",
                            },
                        ],
                        "properties": {"name": {"type": "string", "maxLength": 9}, "v": {"type": "integer"}},
                    },
                },
                "dash-ed": {"type": "string", "maxLength": 5},
                "time": {
                    "type": "string",
                    "format": "date-time",
                    "x-kubernetes-validations": [
                        {"rule": "self < timestamp('2030-01-01T00:00:00Z')", "message": "too late"}
                    ],
                },
                "span": {
                    "type": "string",
                    "pattern": "^(([0-9]+(s|m|h))+)|(Never)$",
                    "maxLength": 20,
                    "x-kubernetes-validations": [
                        {"rule": "self == 'Never' || duration(self) >= duration('1m')", "message": "too short"},
                    ],
                },
            },
        }
    },
}

# (old spec or None, new spec): created, or updated from the old one.
RULE_SPECS: list[tuple[Json | None, Json]] = [
    (None, {"a": 1, "b": 2}),
    (None, {"a": 3, "b": 2}),
    (None, {"a": 13}),
    (None, {"a": 13, "b": 20, "keys": ["a/x", "c/x"]}),
    (None, {"a": 1, "keys": ["a", "a"]}),
    (None, {"a": 1, "keys": ["c", "c"], "map": {"bad": "x"}}),
    (None, {"a": "x"}),
    (None, {"a": 1, "time": "2031-01-01T00:00:00Z"}),
    (None, {"a": 1, "time": "2026-01-01T00:00:00Z", "span": "2m", "once": "x"}),
    (None, {"a": 1, "span": "5s"}),
    (None, {"a": 1, "span": "Never"}),
    ({"a": 2, "b": 4}, {"a": 1, "b": 3}),
    ({"a": 2, "b": 4}, {"a": 3, "b": 4}),
    ({"a": 2, "once": "x"}, {"a": 2, "once": "y"}),
    ({"a": 2, "once": "x"}, {"a": 2}),
    ({"a": 2}, {"a": 2, "once": "y"}),
    ({"a": 2, "items": [{"name": "x", "v": 1}]}, {"a": 2, "items": [{"name": "y", "v": 3}, {"name": "x", "v": 2}]}),
    ({"a": 2, "items": [{"name": "x"}]}, {"a": 2, "items": [{"name": "x", "v": 2}]}),
]
