"""Sequences of writes that were played to a real kube-apiserver 1.34.4; `record.py` writes down what it answered."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

SCHEMA: Json = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "size": {"type": "integer", "default": 3},
                "names": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "plain": {"type": "array", "items": {"type": "string"}},
                "parts": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {
                            "name": {"type": "string"},
                            "v": {"type": "integer"},
                            "w": {"type": "object", "additionalProperties": {"type": "string"}},
                        },
                    },
                },
                "whole": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"a": {"type": "string"}}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        },
        "status": {"type": "object", "properties": {"phase": {"type": "string"}, "n": {"type": "integer"}}},
    },
}
JSON, MERGE, STRATEGIC, APPLY, CREATE, PUT = "json", "merge", "strategic", "apply", "create", "put"


def config(data: Any, **meta: Any) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s", **meta}, "data": data}


def thing(spec: Json, **meta: Any) -> Json:
    return {"apiVersion": "record.dev/v1", "kind": "Tracked", "metadata": {"name": "s", **meta}, "spec": spec}


def deploy(containers: list[Json], **spec: Any) -> Json:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": containers}}
    body = {"selector": {"matchLabels": {"a": "b"}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "s"}, "spec": body}


def box(name: str, **more: Any) -> Json:
    return {"name": name, "image": "i", **more}


def step(verb: str, body: Any, manager: str = "m1", **more: Any) -> Json:
    return {"verb": verb, "body": body, "manager": manager, **more}


def pods(*containers: Json) -> Json:
    return {"spec": {"template": {"spec": {"containers": list(containers)}}}}


PORT = {"containerPort": 80}
STATUS = {"subresource": "status"}
FORCE = {"force": True}
SEQUENCES: list[tuple[str, list[Json]]] = [
    ("configmaps", [
        step(APPLY, config({"a": "1", "b": "2"}, labels={"x": "y"})),
        step(APPLY, config({"a": "2"}), "m2"),
        step(APPLY, config({"a": "2", "b": "3"}), "m2"),
        step(APPLY, config({"a": "2"}), "m2", **FORCE),
        step(APPLY, config({"b": "2"})),
        step(APPLY, config({"b": "2"})),
        step(APPLY, config({})),
        step(APPLY, config({"a": "2"})),
        step(MERGE, {"data": {"a": "9", "z": "1"}}, "u1"),
        step(APPLY, config({"a": "2", "z": "2"}), "m3"),
        step(APPLY, {**config({"a": "2"}), "bogus": 1}, "m3"),
        step(APPLY, config({"a": 1}), "m3"),
        step(APPLY, config({"a": "1"}, managedFields=[{"manager": "x"}]), "m3"),
        step(APPLY, config(None)),
    ]),
    ("configmaps", [
        step(CREATE, config({"a": "1"}), "c1"),
        step(MERGE, {"data": {"b": "2"}}, "c2"),
        step(MERGE, {"data": {"b": "2"}}, "c3"),
        step(MERGE, {"data": {"a": None}}, "c3"),
        step(STRATEGIC, {"metadata": {"labels": {"l": "1"}, "finalizers": ["a/b"]}}, "c3"),
        step(STRATEGIC, {"metadata": {"finalizers": ["c/d"]}}, "c4"),
        step(STRATEGIC, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/b"]}}, "c4"),
        step(JSON, [{"op": "replace", "path": "/data/b", "value": "3"}], "c1"),
        step(JSON, [{"op": "test", "path": "/data/b", "value": "4"}], "c1"),
        step(MERGE, {"metadata": {"annotations": {"k": "v"}, "finalizers": None}}, "c5"),
        step(MERGE, {"metadata": {"managedFields": []}}, "c5"),
        step(MERGE, {"data": {"q": "1"}}, "c6"),
        step(MERGE, {"immutable": True}, "c6"),
    ]),
    ("deployments", [
        step(APPLY, deploy([box("a", ports=[PORT], env=[{"name": "X", "value": "1"}]), box("b")], replicas=2)),
        step(APPLY, deploy([box("c"), box("b"), box("d")]), "m2", **FORCE),
        step(APPLY, deploy([box("b")])),
        step(APPLY, deploy([box("b"), box("b")])),
        step(APPLY, deploy([box("b", bogus=1)])),
        step(APPLY, deploy([box("b")], replicas="x")),
        step(APPLY, deploy([box("b", image="j")], replicas=3)),
        step(APPLY, deploy([box("b", image="j")], replicas=3), **FORCE),
        step(MERGE, {"status": {"replicas": 1, "conditions": [{"type": "A", "status": "True"}]}}, "ctl", **STATUS),
        step(APPLY, deploy([box("b", image="j")], replicas=4), "m9"),
        step(MERGE, {"spec": {"replicas": 7}}, "u"),
        step(APPLY, deploy([box("b", image="j")], replicas=3)),
        step(MERGE, {"status": {"replicas": 2}, "spec": {"replicas": 9}}, "ctl", **STATUS),
    ]),
    ("deployments", [
        step(CREATE, deploy([box("a", ports=[PORT, {"containerPort": 81, "name": "x"}]), box("b", args=["1"])]), "c1"),
        step(STRATEGIC, pods({"name": "b", "image": "j"}), "s1"),
        step(STRATEGIC, pods({"name": "n", "image": "k"}), "s1"),
        step(STRATEGIC, pods({"name": "a", "$patch": "delete"}), "s1"),
        step(STRATEGIC, pods({"name": "b", "args": None}), "s1"),
        step(STRATEGIC, pods({"name": "b", "env": [{"name": "E", "value": "1"}]}), "s1"),
        step(STRATEGIC, pods({"name": "b", "env": [{"name": "F", "value": "1"}, {"name": "E", "value": "2"}]}), "s2"),
        step(STRATEGIC, pods({"name": "b", "env": [{"$patch": "replace"}, {"name": "G", "value": "1"}]}), "s2"),
        step(STRATEGIC, {"spec": {"template": {"spec": {
            "$setElementOrder/containers": [{"name": "n"}, {"name": "b"}],
            "containers": [{"name": "n", "image": "z"}],
        }}}}, "s2"),
        step(STRATEGIC, {"spec": {"template": {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}}}, "s2"),
        step(STRATEGIC, {"spec": {"template": {"spec": {
            "volumes": [{"$retainKeys": ["name", "hostPath"], "name": "v", "hostPath": {"path": "/x"}}],
        }}}}, "s2"),
        step(STRATEGIC, {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}, "s2"),
        step(STRATEGIC, {"spec": {"template": {"metadata": {"annotations": {"r": "1"}}}}}, "s2"),
        step(STRATEGIC, {"spec": {"template": {"spec": {"nodeSelector": {"$patch": "replace", "q": "1"}}}}}, "s2"),
        step(STRATEGIC, {"spec": {"template": {"spec": {"nodeSelector": {"$patch": "delete"}}}}}, "s2"),
        step(STRATEGIC, {"spec": {"template": {"spec": {"tolerations": [{"key": "a", "operator": "Exists"}]}}}}, "s3"),
        step(STRATEGIC, {"spec": {"template": {"spec": {"tolerations": [{"key": "b", "operator": "Exists"}]}}}}, "s3"),
        step(STRATEGIC, {"spec": {"template": {"spec": {"imagePullSecrets": [{"name": "x"}]}}}}, "s3"),
        step(STRATEGIC, {"spec": {"template": {"spec": {"imagePullSecrets": [{"name": "y"}]}}}}, "s3"),
    ]),
    ("services", [
        step(APPLY, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {
            "selector": {"a": "b"}, "ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "b", "protocol": "UDP"}],
        }}),
        step(APPLY, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {
            "selector": {"a": "c"}, "ports": [{"port": 80, "name": "a", "targetPort": 8080}],
        }}),
        step(STRATEGIC, {"spec": {"ports": [{"port": 82, "name": "z"}]}}, "u"),
    ]),
    ("trackeds", [
        step(CREATE, thing({"names": ["a", "b"], "plain": ["x"], "parts": [{"name": "p", "v": 1}], "free": {"a":
        {"b": 1}}}), "c1"),
        step(APPLY, thing({"names": ["c"], "parts": [{"name": "q", "v": 2}], "labels": {"l": "1"}}), "m1"),
        step(APPLY, thing({"names": ["c", "a"], "parts": [{"name": "p", "v": 2}]}), "m1"),
        step(APPLY, thing({"names": ["c", "a"], "parts": [{"name": "p", "v": 2}]}), "m1", **FORCE),
        step(APPLY, thing({"whole": {"a": "1"}, "plain": ["y"]}), "m2"),
        step(APPLY, thing({"whole": {"a": "1"}, "plain": ["y"]}), "m2", **FORCE),
        step(APPLY, thing({"free": {"a": {"c": 2}}, "size": 5}), "m3"),
        step(APPLY, thing({"free": {"z": [1, 2]}}), "m3", **FORCE),
        step(APPLY, thing({"bogus": 1}), "m3"),
        step(APPLY, thing({"size": "x"}), "m3"),
        step(APPLY, thing({"parts": [{"v": 1}]}), "m3"),
        step(MERGE, {"status": {"phase": "R"}}, "ctl", **STATUS),
        step(MERGE, {"status": {"phase": "R", "n": 1}}, "ctl", **STATUS),
        step(APPLY, {**thing({}), "status": {"n": 5}}, "ctl", **STATUS),
        step(MERGE, {"spec": {"parts": None}}, "u"),
        step(APPLY, thing({"parts": [{"name": "w", "w": {"k": "v"}}]}), "m4"),
        step(APPLY, thing({"parts": [{"name": "w"}]}), "m4"),
        step(MERGE, {"metadata": {"labels": {"a": "b"}}}, "u"),
    ]),
    # What random sequences found.
    ("trackeds", [
        step(CREATE, thing({"free": {"n": [1]}, "labels": {"s": "1"}, "whole": {"a": "1"}}), "m1"),
        step(MERGE, {"spec": {"free": {"n": {"z": 1}}}}, "m2"),
        step(MERGE, {"spec": {"free": {"n": 1}}}, "m3"),
        step(APPLY, thing({"labels": {"s": "2"}, "whole": {"a": "2"}}), "m4"),
        step(MERGE, {"spec": {"free": {"m": [1], "n": {"z": 2}}}}, "m2"),
    ]),
    ("deployments", [
        step(APPLY, deploy([box("a", resources={"limits": {"cpu": "1"}}, env=[{"name": "E", "value": "1"}])]), "m1"),
        step(APPLY, deploy([box("a", image="j", env=[{"name": "E", "value": "2"}], args=["1"])]), "m2"),
        step(APPLY, deploy([box("a")]), "m1"),
        step(STRATEGIC, {"spec": {"template": {"spec": {
            "$setElementOrder/containers": [{"name": "b"}], "containers": [{"name": "a", "image": "k"}],
        }}}}, "m3"),
        step(STRATEGIC, {"spec": {"template": {"spec": {"$retainKeys": "x"}}}}, "m3"),
    ]),
]  # fmt: skip
