"""Objects that were played to a real kube-apiserver 1.34.4; `record.py` writes down what it answered.

A case is (resource, body) for a create, (resource, old, new) for an update; a body is complete but for apiVersion
and kind.
"""

from __future__ import annotations

import copy
from typing import Any

Json = dict[str, Any]
Path = str | int


def changed(base: Json, *changes: tuple[str, Any]) -> Json:
    """A copy with values set at dotted paths (`spec.containers.0.name`); the value None deletes."""
    out = copy.deepcopy(base)
    for path, value in changes:
        *parents, last = (int(part) if part.isdigit() else part for part in path.split("|" if "|" in path else "."))
        holder: Any = out
        for part in parents:
            holder = holder[part] if isinstance(holder, list) else holder.setdefault(part, {})
        if value is None:
            holder.pop(last)
        elif isinstance(holder, list) and last == len(holder):
            holder.append(value)
        else:
            holder[last] = value
    return out


def meta(**extra: Any) -> Json:
    return {"name": "t", **extra}


CONTAINER: Json = {"name": "c", "image": "i"}
POD: Json = {"metadata": meta(), "spec": {"containers": [CONTAINER]}}
TEMPLATE: Json = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [CONTAINER]}}
SELECTED: Json = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
DEPLOYMENT: Json = {"metadata": meta(), "spec": SELECTED}
STATEFUL_SET: Json = {"metadata": meta(), "spec": {**SELECTED, "serviceName": "s"}}
JOB: Json = {"metadata": meta(), "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [CONTAINER]}}}}
CRON_JOB: Json = {"metadata": meta(), "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": JOB["spec"]}}}
SERVICE: Json = {"metadata": meta(), "spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}}
CLAIM: Json = {
    "metadata": meta(),
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
VOLUME: Json = {
    "metadata": meta(),
    "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/a"}},
}
CONFIG: Json = {"metadata": meta(), "data": {"a": "b"}}
SECRET: Json = {"metadata": meta(), "data": {"a": "Yg=="}}
LEASE: Json = {"metadata": meta(), "spec": {"holderIdentity": "a", "leaseDurationSeconds": 5}}
SLICE: Json = {
    "metadata": meta(),
    "addressType": "IPv4",
    "endpoints": [{"addresses": ["10.1.1.1"]}],
    "ports": [{"port": 80, "name": "x"}],
}
ENDPOINTS: Json = {"metadata": meta(), "subsets": [{"addresses": [{"ip": "10.1.1.1"}], "ports": [{"port": 80}]}]}
ROLE: Json = {"metadata": meta(), "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]}
BINDING: Json = {
    "metadata": meta(),
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "x"},
    "subjects": [{"kind": "User", "name": "u"}],
}
CLASS: Json = {"metadata": meta(), "provisioner": "p"}
NODE: Json = {"metadata": meta(), "spec": {}}
BUDGET: Json = {"metadata": meta(), "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}}
EVENT: Json = {
    "metadata": meta(),
    "involvedObject": {"namespace": "default", "kind": "Pod", "name": "x"},
    "reason": "R",
}
OWNER: Json = {"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "u1"}
SPREAD: Json = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}


def _pods() -> list[tuple[str, Json]]:
    c = "spec.containers.0."
    changes: list[list[tuple[str, Any]]] = [
        [("spec.containers", [])],
        [("spec", {})],
        [(c + "name", "")],
        [(c + "name", "Bad_Name")],
        [(c + "name", "a" * 64)],
        [(c + "image", "")],
        [(c + "image", " i")],
        [(c + "imagePullPolicy", "Sometimes")],
        [("spec.containers.1", {"name": "c", "image": "j"})],
        [("spec.initContainers", [{"name": "c", "image": "j"}])],
        [("spec.initContainers", [{"name": "x", "image": "j"}, {"name": "x", "image": ""}])],
        [("spec.initContainers", [{"name": "x", "image": "j", "restartPolicy": "Always"}])],
        [("spec.initContainers", [{"name": "x", "image": "j", "restartPolicy": "Never"}])],
        [("spec.initContainers", [{"name": "x", "image": "j", "readinessProbe": {"exec": {"command": ["x"]}}}])],
        [
            (
                "spec.initContainers",
                [{"name": "x", "image": "j", "lifecycle": {"preStop": {"exec": {"command": ["x"]}}}}],
            )
        ],
        [("spec.restartPolicy", "Sometimes")],
        [("spec.dnsPolicy", "Mine")],
        [("spec.dnsPolicy", "None")],
        [("spec.terminationGracePeriodSeconds", -1)],
        [("spec.activeDeadlineSeconds", 0)],
        [("spec.nodeSelector", {"a b": "c"})],
        [("spec.nodeSelector", {"a": "c d"})],
        [("spec.nodeName", "Bad_Name")],
        [("spec.hostname", "Bad_Name"), ("spec.subdomain", "Bad.Sub")],
        [("spec.serviceAccountName", "Bad_Name")],
        [("spec.schedulerName", "Bad_Name")],
        [("spec.priorityClassName", "nope")],
        [("spec.imagePullSecrets", [{"name": ""}])],
        [("spec.hostNetwork", True), (c + "ports", [{"containerPort": 80}])],
        [("spec.hostNetwork", True), (c + "ports", [{"containerPort": 80, "hostPort": 81}])],
        [(c + "ports", [{"containerPort": 0}])],
        [(c + "ports", [{"containerPort": 70000}])],
        [(c + "ports", [{"containerPort": 80, "protocol": "HTTP"}])],
        [(c + "ports", [{"containerPort": 80, "name": "Bad_Name"}])],
        [(c + "ports", [{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "a"}])],
        [(c + "ports", [{"containerPort": 80}, {"containerPort": 80}])],
        [(c + "ports", [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 81, "hostPort": 8080}])],
        [(c + "ports", [{"containerPort": 80, "hostPort": 70000, "hostIP": "x"}])],
        [(c + "env", [{"name": "", "value": "x"}])],
        [(c + "env", [{"name": "a=b", "value": "x"}])],
        [(c + "env", [{"name": "a b", "value": "x"}, {"name": "1A", "value": "x"}])],
        [(c + "env", [{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}])],
        [(c + "env", [{"name": "A", "valueFrom": {}}])],
        [(c + "env", [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.bogus"}}}])],
        [(c + "env", [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a']"}}}])],
        [(c + "env", [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": ""}}}])],
        [(c + "env", [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": ""}}}])],
        [(c + "env", [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "", "key": "a b"}}}])],
        [(c + "env", [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}])],
        [(c + "env", [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.x"}}}])],
        [(c + "envFrom", [{"configMapRef": {"name": ""}}, {"prefix": "a=", "secretRef": {"name": "s"}}, {}])],
        [(c + "resources", {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}})],
        [(c + "resources", {"limits": {"cpu": "-1"}})],
        [(c + "resources", {"limits": {"bogus": "1"}})],
        [(c + "resources", {"limits": {"nvidia.com/gpu": "1.5"}})],
        [(c + "resources", {"requests": {"nvidia.com/gpu": "1"}})],
        [(c + "resources", {"limits": {"nvidia.com/gpu": "2"}, "requests": {"nvidia.com/gpu": "1"}})],
        [(c + "resources", {"limits": {"nvidia.com/gpu": "1"}})],
        [(c + "resources", {"limits": {"memory": "100m"}})],
        [(c + "volumeMounts", [{"name": "v", "mountPath": "/a"}])],
        [("spec.volumes", [{"name": "v"}]), (c + "volumeMounts", [{"name": "v", "mountPath": ""}])],
        [
            ("spec.volumes", [{"name": "v"}]),
            (c + "volumeMounts", [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/a"}]),
        ],
        [
            ("spec.volumes", [{"name": "v"}]),
            (c + "volumeMounts", [{"name": "v", "mountPath": "/a", "subPath": "../x"}]),
        ],
        [("spec.volumes", [{"name": "v"}]), (c + "volumeMounts", [{"name": "", "mountPath": "/a:b"}])],
        [
            ("spec.volumes", [{"name": "v"}]),
            (c + "volumeMounts", [{"name": "v", "mountPath": "/a", "subPath": "x", "subPathExpr": "y"}]),
        ],
        [("spec.volumes", [{"name": ""}])],
        [("spec.volumes", [{"name": "Bad_Name"}, {"name": "v"}, {"name": "v"}])],
        [("spec.volumes", [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}}])],
        [("spec.volumes", [{"name": "v", "emptyDir": {"sizeLimit": "-1"}}])],
        [("spec.volumes", [{"name": "v", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}])],
        [("spec.volumes", [{"name": "v", "hostPath": {"path": ""}}])],
        [("spec.volumes", [{"name": "v", "hostPath": {"path": "/a/../b", "type": "Nope"}}])],
        [("spec.volumes", [{"name": "v", "secret": {}}])],
        [("spec.volumes", [{"name": "v", "secret": {"secretName": "s", "defaultMode": 1000}}])],
        [("spec.volumes", [{"name": "v", "secret": {"secretName": "s", "items": [{"key": "", "path": ""}]}}])],
        [("spec.volumes", [{"name": "v", "configMap": {"name": "s", "items": [{"key": "k", "path": "/a"}]}}])],
        [("spec.volumes", [{"name": "v", "configMap": {"name": "", "items": [{"key": "k", "path": "../a"}]}}])],
        [("spec.volumes", [{"name": "v", "persistentVolumeClaim": {"claimName": ""}}])],
        [("spec.volumes", [{"name": "v", "persistentVolumeClaim": {"claimName": "x"}}])],
        [("spec.volumes", [{"name": "v", "downwardAPI": {"items": [{"path": "p"}]}}])],
        [("spec.volumes", [{"name": "v", "downwardAPI": {"items": [{"path": "p", "fieldRef": {"fieldPath": "x"}}]}}])],
        [("spec.volumes", [{"name": "v", "projected": {"sources": [{}]}}])],
        [("spec.volumes", [{"name": "v", "projected": {"sources": [{"secret": {}}, {"configMap": {"name": "x"}}]}}])],
        [("spec.volumes", [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}])],
        [
            (
                "spec.volumes",
                [
                    {
                        "name": "v",
                        "projected": {"sources": [{"serviceAccountToken": {"path": "", "expirationSeconds": 5}}]},
                    }
                ],
            )
        ],
        [("spec.volumes", [{"name": "v", "nfs": {"server": "", "path": "a"}}])],
        [("spec.volumes", [{"name": "v", "csi": {"driver": ""}}])],
        [("spec.volumes", [{"name": "v", "ephemeral": {}}])],
        [("spec.volumes", [{"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": CLAIM["spec"]}}}])],
        [("spec.volumes", [{"name": "v", "image": {"reference": "a:b"}}])],
        [(c + "livenessProbe", {})],
        [(c + "livenessProbe", {"httpGet": {"port": 80}})],
        [(c + "livenessProbe", {"httpGet": {"port": 0}})],
        [(c + "livenessProbe", {"httpGet": {"port": "bad_port_name_that_is_long"}})],
        [(c + "livenessProbe", {"httpGet": {"port": 80, "scheme": "FTP", "host": "a"}})],
        [(c + "livenessProbe", {"httpGet": {"port": 80, "httpHeaders": [{"name": "a b", "value": "c"}]}})],
        [(c + "livenessProbe", {"httpGet": {"port": 80}, "exec": {"command": ["a"]}})],
        [(c + "livenessProbe", {"exec": {"command": []}})],
        [(c + "livenessProbe", {"tcpSocket": {"port": 70000}})],
        [(c + "livenessProbe", {"grpc": {"port": 0}})],
        [(c + "livenessProbe", {"grpc": {"port": 5}})],
        [(c + "livenessProbe", {"exec": {"command": ["a"]}, "successThreshold": 2, "periodSeconds": -1})],
        [(c + "livenessProbe", {"exec": {"command": ["a"]}, "terminationGracePeriodSeconds": 0})],
        [(c + "readinessProbe", {"exec": {"command": ["a"]}, "terminationGracePeriodSeconds": 5})],
        [(c + "startupProbe", {"exec": {"command": ["a"]}, "timeoutSeconds": -1, "initialDelaySeconds": -1})],
        [(c + "lifecycle", {"preStop": {}})],
        [(c + "lifecycle", {"postStart": {"httpGet": {"port": 80}}, "preStop": {"sleep": {"seconds": 100}}})],
        [(c + "terminationMessagePolicy", "Nope")],
        [(c + "securityContext", {"privileged": True, "allowPrivilegeEscalation": False})],
        [(c + "securityContext", {"runAsUser": -1, "runAsGroup": -2})],
        [(c + "securityContext", {"capabilities": {"add": ["SYS_ADMIN"]}, "seccompProfile": {"type": "Nope"}})],
        [("spec.securityContext", {"runAsUser": -1, "fsGroup": -1, "supplementalGroups": [-1]})],
        [("spec.securityContext", {"fsGroupChangePolicy": "Nope", "sysctls": [{"name": "a b", "value": "1"}]})],
        [(c + "workingDir", "/a"), (c + "command", ["a"]), (c + "args", ["b"]), (c + "stdin", True), (c + "tty", True)],
        [(c + "restartPolicy", "Always")],
        [("spec.tolerations", [{"operator": "Nope"}])],
        [("spec.tolerations", [{"operator": "Exists", "value": "x"}])],
        [("spec.tolerations", [{"key": "a b", "value": "x"}])],
        [("spec.tolerations", [{"key": "a", "effect": "NoSchedule", "tolerationSeconds": 5}])],
        [("spec.tolerations", [{"key": "", "value": "x"}])],
        [("spec.tolerations", [{"key": "a", "operator": "Equal", "value": "b c", "effect": "Nope"}])],
        [("spec.topologySpreadConstraints", [{**SPREAD, "maxSkew": 0}])],
        [("spec.topologySpreadConstraints", [{**SPREAD, "topologyKey": "", "whenUnsatisfiable": "Nope"}])],
        [("spec.topologySpreadConstraints", [SPREAD, SPREAD])],
        [
            (
                "spec.affinity",
                {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
            )
        ],
        [
            (
                "spec.affinity",
                {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [
                                {
                                    "matchExpressions": [
                                        {"key": "a", "operator": "In", "values": []},
                                        {"key": "a b", "operator": "Nope"},
                                        {"key": "a", "operator": "Exists", "values": ["x"]},
                                        {"key": "a", "operator": "Gt", "values": ["x", "y"]},
                                    ]
                                }
                            ]
                        }
                    }
                },
            )
        ],
        [
            (
                "spec.affinity",
                {
                    "nodeAffinity": {
                        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 0, "preference": {}}],
                    }
                },
            )
        ],
        [
            (
                "spec.affinity",
                {
                    "podAntiAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": [
                            {"labelSelector": {"matchLabels": {"a b": "c"}}}
                        ],
                        "preferredDuringSchedulingIgnoredDuringExecution": [
                            {"weight": 101, "podAffinityTerm": {"topologyKey": ""}}
                        ],
                    }
                },
            )
        ],
        [("spec.readinessGates", [{"conditionType": "a b"}])],
        [("spec.hostAliases", [{"ip": "x", "hostnames": ["Bad_Name"]}])],
        [("spec.runtimeClassName", "Bad_Name")],
        [("spec.overhead", {"cpu": "1"})],
        [("spec.preemptionPolicy", "Nope")],
        [("spec.shareProcessNamespace", True), ("spec.hostPID", True)],
        [("spec.os", {"name": "plan9"})],
        [("spec.schedulingGates", [{"name": "a"}])],
        [("spec.dnsConfig", {"nameservers": ["x"], "searches": ["Bad_Name"], "options": [{"name": ""}]})],
        [("spec.enableServiceLinks", False), ("spec.automountServiceAccountToken", False)],
        [("spec.ephemeralContainers", [{"name": "e", "image": "i"}])],
        [("spec.terminationGracePeriodSeconds", 0), ("spec.hostIPC", True), ("spec.setHostnameAsFQDN", True)],
        [("spec.resources", {"limits": {"cpu": "1"}})],
        [(c + "resources", {"limits": {"cpu": "1", "memory": "1Gi"}})],
        [(c + "resources", {"requests": {"cpu": "100m"}}), (c + "image", "a/b:v1"), (c + "command", ["x"])],
        [(c + "image", "a/b@sha256:" + "0" * 64)],
        [("spec.tolerations", [{"operator": "Exists"}])],
        [("status", {"phase": "Running"})],
    ]
    return [("pods", changed(POD, *change)) for change in changes]


def _metadata() -> list[tuple[str, Json]]:
    metas: list[Json] = [
        {},
        {"name": "Bad_Name"},
        {"name": "a" * 254},
        {"name": "a/b"},
        {"name": ".."},
        {"generateName": "Bad_"},
        {"name": "t", "labels": {"a b": "c"}},
        {"name": "t", "labels": {"a": "c d"}},
        {"name": "t", "labels": {"a": "x" * 64}},
        {"name": "t", "labels": {"/a": "c", "b/": "d", "A_b/c": "e", "a/b/c": "f", "": "g"}},
        {"name": "t", "annotations": {"a b": "c"}},
        {"name": "t", "annotations": {"A/b": "c"}},
        {"name": "t", "annotations": {"a": "x" * 262145}},
        {"name": "t", "finalizers": ["x"]},
        {"name": "t", "finalizers": ["a/b", "Bad_Name/x", "a b"]},
        {"name": "t", "finalizers": ["orphan", "foregroundDeletion"]},
        {"name": "t", "ownerReferences": [OWNER]},
        {"name": "t", "ownerReferences": [{}]},
        {"name": "t", "ownerReferences": [{**OWNER, "controller": True}, {**OWNER, "uid": "u2", "controller": True}]},
        {"name": "t", "ownerReferences": [{**OWNER, "kind": "Event"}]},
        {"name": "t", "ownerReferences": [{**OWNER, "apiVersion": "a/b/c"}]},
        {"name": "t", "generation": 7, "resourceVersion": "", "selfLink": "x"},
        {"name": "t", "managedFields": [{"manager": "x", "operation": "Nope"}]},
        {"name": "t", "deletionTimestamp": "2026-01-01T00:00:00Z", "creationTimestamp": "2026-01-01T00:00:00Z"},
    ]
    return [("configmaps", {"metadata": m, "data": {"a": "b"}}) for m in metas]


def _creates() -> list[tuple[str, Json]]:
    d, p = DEPLOYMENT, "spec.ports.0."
    return [
        ("configmaps", changed(CONFIG, ("data", {"a b": "x"}))),
        ("configmaps", changed(CONFIG, ("data", {"": "x", "..": "y", "a" * 254: "z"}))),
        ("configmaps", changed(CONFIG, ("binaryData", {"a": "Yg=="}))),
        ("configmaps", changed(CONFIG, ("data", {"a": "x" * 1048577}))),
        ("secrets", changed(SECRET, ("data", {"a b": "Yg=="}))),
        ("secrets", changed(SECRET, ("type", "kubernetes.io/dockerconfigjson"))),
        (
            "secrets",
            changed(SECRET, ("type", "kubernetes.io/dockerconfigjson"), ("data", {".dockerconfigjson": "Yg=="})),
        ),
        ("secrets", changed(SECRET, ("type", "kubernetes.io/tls"))),
        ("secrets", changed(SECRET, ("type", "kubernetes.io/basic-auth"))),
        ("secrets", changed(SECRET, ("type", "kubernetes.io/ssh-auth"))),
        ("secrets", changed(SECRET, ("type", "kubernetes.io/service-account-token"))),
        ("secrets", changed(SECRET, ("type", "my/type"), ("stringData", {"b": "x"}))),
        ("namespaces", {"metadata": {"name": "Bad.Name"}}),
        ("namespaces", {"metadata": {"name": "a.b"}}),
        ("serviceaccounts", {"metadata": meta(), "imagePullSecrets": [{"name": "x"}]}),
        ("services", changed(SERVICE, ("metadata.name", "1a"))),
        ("services", changed(SERVICE, ("metadata.name", "a.b"))),
        ("services", changed(SERVICE, ("spec.ports", []))),
        ("services", changed(SERVICE, ("spec", {"clusterIP": "None", "selector": {"a": "b"}}))),
        ("services", changed(SERVICE, (p + "port", 0))),
        ("services", changed(SERVICE, (p + "port", 70000), (p + "protocol", "HTTP"), (p + "targetPort", 70000))),
        ("services", changed(SERVICE, (p + "targetPort", "Bad_Name"))),
        ("services", changed(SERVICE, ("spec.ports.1", {"port": 81}))),
        ("services", changed(SERVICE, ("spec.ports", [{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]))),
        ("services", changed(SERVICE, ("spec.ports", [{"port": 80, "name": "a"}, {"port": 81, "name": "a"}]))),
        ("services", changed(SERVICE, ("spec.ports", [{"port": 80, "name": "A_b"}]))),
        ("services", changed(SERVICE, (p + "nodePort", 30000))),
        ("services", changed(SERVICE, ("spec.type", "Nope"))),
        ("services", changed(SERVICE, ("spec.type", "ExternalName"))),
        ("services", changed(SERVICE, ("spec.type", "ExternalName"), ("spec.externalName", "a.b"))),
        ("services", changed(SERVICE, ("spec.sessionAffinity", "Nope"))),
        ("services", changed(SERVICE, ("spec.selector", {"a b": "c"}))),
        ("services", changed(SERVICE, ("spec.clusterIP", "x"))),
        ("services", changed(SERVICE, ("spec.externalIPs", ["x", "127.0.0.1"]))),
        ("services", changed(SERVICE, ("spec.externalTrafficPolicy", "Local"))),
        ("services", changed(SERVICE, ("spec.internalTrafficPolicy", "Nope"))),
        ("services", changed(SERVICE, ("spec.type", "LoadBalancer"), ("spec.clusterIP", "None"))),
        ("services", changed(SERVICE, ("spec.sessionAffinity", "ClientIP"))),
        ("services", changed(SERVICE, ("spec.publishNotReadyAddresses", True))),
        ("deployments", {"metadata": meta()}),
        ("deployments", changed(d, ("spec.selector", {}))),
        ("deployments", changed(d, ("spec.selector", None))),
        ("deployments", changed(d, ("spec.selector.matchLabels", {"x": "y"}))),
        ("deployments", changed(d, ("spec.selector.matchLabels", {"x y": "z"}))),
        ("deployments", changed(d, ("spec.selector", {"matchExpressions": [{"key": "a", "operator": "In"}]}))),
        ("deployments", changed(d, ("spec.selector", {"matchExpressions": [{"key": "a", "operator": "Nope"}]}))),
        ("deployments", changed(d, ("spec.replicas", -1))),
        ("deployments", changed(d, ("spec.template.spec.restartPolicy", "Never"))),
        ("deployments", changed(d, ("spec.template.spec.restartPolicy", "Nope"))),
        ("deployments", changed(d, ("spec.template.spec.activeDeadlineSeconds", 5))),
        ("deployments", changed(d, ("spec.template.spec.containers", []))),
        ("deployments", changed(d, ("spec.template.metadata.labels", {"a": "b c"}))),
        ("deployments", changed(d, ("spec.strategy", {"type": "Nope"}))),
        ("deployments", changed(d, ("spec.strategy", {"type": "Recreate", "rollingUpdate": {}}))),
        ("deployments", changed(d, ("spec.strategy", {"type": "Recreate"}))),
        ("deployments", changed(d, ("spec.strategy", {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}))),
        ("deployments", changed(d, ("spec.strategy", {"rollingUpdate": {"maxSurge": "x", "maxUnavailable": "200%"}}))),
        ("deployments", changed(d, ("spec.strategy", {"rollingUpdate": {"maxSurge": -1}}))),
        ("deployments", changed(d, ("spec.minReadySeconds", -1), ("spec.revisionHistoryLimit", -1))),
        ("deployments", changed(d, ("spec.minReadySeconds", 700), ("spec.progressDeadlineSeconds", 600))),
        ("deployments", changed(d, ("spec.template.spec.containers.0.image", ""))),
        ("replicasets", changed(d, ("spec.selector", {}))),
        ("replicasets", changed(d, ("spec.selector.matchLabels", {"x": "y"}))),
        ("replicasets", changed(d, ("spec.replicas", -1), ("spec.minReadySeconds", -1))),
        ("replicasets", changed(d, ("spec.template", None))),
        ("statefulsets", STATEFUL_SET),
        ("statefulsets", changed(STATEFUL_SET, ("metadata.name", "a.b"))),
        ("statefulsets", changed(STATEFUL_SET, ("spec.selector", {}))),
        ("statefulsets", changed(STATEFUL_SET, ("spec.selector.matchLabels", {"x": "y"}))),
        ("statefulsets", changed(STATEFUL_SET, ("spec.podManagementPolicy", "Nope"))),
        ("statefulsets", changed(STATEFUL_SET, ("spec.updateStrategy", {"type": "Nope"}))),
        ("statefulsets", changed(STATEFUL_SET, ("spec.updateStrategy", {"type": "OnDelete", "rollingUpdate": {}}))),
        ("statefulsets", changed(STATEFUL_SET, ("spec.updateStrategy", {"rollingUpdate": {"partition": -1}}))),
        ("statefulsets", changed(STATEFUL_SET, ("spec.replicas", -1), ("spec.minReadySeconds", -1))),
        ("statefulsets", changed(STATEFUL_SET, ("spec.template.spec.restartPolicy", "OnFailure"))),
        ("statefulsets", changed(STATEFUL_SET, ("spec.serviceName", "Bad_Name"))),
        ("statefulsets", changed(STATEFUL_SET, ("spec.ordinals", {"start": -1}))),
        ("statefulsets", changed(STATEFUL_SET, ("spec.persistentVolumeClaimRetentionPolicy", {"whenDeleted": "Nope"}))),
        (
            "statefulsets",
            changed(STATEFUL_SET, ("spec.volumeClaimTemplates", [{"metadata": {"name": "v"}, "spec": {}}])),
        ),
        ("statefulsets", changed(STATEFUL_SET, ("spec.volumeClaimTemplates", [{**CLAIM, "metadata": {"name": "v"}}]))),
        ("daemonsets", changed(d, ("spec.selector", {}))),
        ("daemonsets", changed(d, ("spec.selector.matchLabels", {"x": "y"}))),
        ("daemonsets", changed(d, ("spec.updateStrategy", {"type": "Nope"}))),
        ("daemonsets", changed(d, ("spec.updateStrategy", {"rollingUpdate": {"maxUnavailable": 0}}))),
        ("daemonsets", changed(d, ("spec.template.spec.restartPolicy", "Never"))),
        ("jobs", JOB),
        ("jobs", changed(JOB, ("spec.template.spec.restartPolicy", "Always"))),
        ("jobs", changed(JOB, ("spec.template.spec.restartPolicy", None))),
        ("jobs", changed(JOB, ("spec.template.spec.restartPolicy", "OnFailure"))),
        ("jobs", changed(JOB, ("spec.parallelism", -1), ("spec.completions", -1), ("spec.backoffLimit", -1))),
        ("jobs", changed(JOB, ("spec.activeDeadlineSeconds", -1), ("spec.ttlSecondsAfterFinished", -1))),
        ("jobs", changed(JOB, ("spec.completionMode", "Nope"))),
        ("jobs", changed(JOB, ("spec.completionMode", "Indexed"))),
        ("jobs", changed(JOB, ("spec.completionMode", "Indexed"), ("spec.parallelism", 2))),
        (
            "jobs",
            changed(JOB, ("spec.completionMode", "Indexed"), ("spec.completions", 2), ("spec.backoffLimitPerIndex", 1)),
        ),
        ("jobs", changed(JOB, ("spec.backoffLimitPerIndex", 1))),
        ("jobs", changed(JOB, ("spec.selector", {"matchLabels": {"a": "b"}}))),
        ("jobs", changed(JOB, ("spec.manualSelector", True))),
        (
            "jobs",
            changed(
                JOB,
                ("spec.manualSelector", True),
                ("spec.selector", {"matchLabels": {"a": "b"}}),
                ("spec.template.metadata", {"labels": {"a": "b"}}),
            ),
        ),
        ("jobs", changed(JOB, ("spec.parallelism", 3))),
        ("jobs", changed(JOB, ("spec.podReplacementPolicy", "Nope"))),
        ("jobs", changed(JOB, ("spec.template.spec.containers.0.name", ""))),
        ("jobs", changed(JOB, ("metadata.name", "a" * 64))),
        (
            "jobs",
            changed(
                JOB,
                (
                    "spec.podFailurePolicy",
                    {
                        "rules": [
                            {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [2, 64]}},
                            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
                        ]
                    },
                ),
            ),
        ),
        (
            "jobs",
            changed(
                JOB,
                (
                    "spec.podFailurePolicy",
                    {
                        "rules": [
                            {"action": "Nope", "onExitCodes": {"operator": "In", "values": [0]}},
                            {"action": "FailJob"},
                            {"action": "FailJob", "onExitCodes": {"operator": "Nope", "values": []}},
                            {
                                "action": "FailJob",
                                "onExitCodes": {"operator": "In", "values": [5, 3], "containerName": "zz"},
                            },
                            {
                                "action": "FailJob",
                                "onExitCodes": {"operator": "In", "values": [5]},
                                "onPodConditions": [{"type": "X Y"}],
                            },
                        ]
                    },
                ),
            ),
        ),
        (
            "jobs",
            changed(
                JOB,
                ("spec.template.spec.restartPolicy", "OnFailure"),
                (
                    "spec.podFailurePolicy",
                    {"rules": [{"action": "Count", "onExitCodes": {"operator": "In", "values": [1]}}]},
                ),
            ),
        ),
        ("cronjobs", changed(CRON_JOB, ("spec.schedule", ""))),
        ("cronjobs", changed(CRON_JOB, ("spec.schedule", "x"))),
        ("cronjobs", changed(CRON_JOB, ("spec.concurrencyPolicy", "Nope"), ("spec.startingDeadlineSeconds", -1))),
        ("cronjobs", changed(CRON_JOB, ("metadata.name", "a" * 53))),
        ("cronjobs", changed(CRON_JOB, ("spec.successfulJobsHistoryLimit", -1), ("spec.timeZone", "Nope/Zone"))),
        ("persistentvolumeclaims", CLAIM),
        ("persistentvolumeclaims", changed(CLAIM, ("spec.accessModes", []))),
        ("persistentvolumeclaims", changed(CLAIM, ("spec.accessModes", ["Nope"]))),
        ("persistentvolumeclaims", changed(CLAIM, ("spec.accessModes", ["ReadWriteOncePod", "ReadWriteOnce"]))),
        ("persistentvolumeclaims", changed(CLAIM, ("spec.resources", {}))),
        ("persistentvolumeclaims", changed(CLAIM, ("spec.resources.requests.storage", "0"))),
        ("persistentvolumeclaims", changed(CLAIM, ("spec.storageClassName", "Bad_Name"), ("spec.volumeMode", "Nope"))),
        ("persistentvolumeclaims", changed(CLAIM, ("spec.selector", {"matchLabels": {"a b": "c"}}))),
        ("persistentvolumeclaims", changed(CLAIM, ("spec.dataSource", {"kind": "Foo", "name": "x"}))),
        ("persistentvolumes", changed(VOLUME, ("spec.capacity", {}))),
        ("persistentvolumes", changed(VOLUME, ("spec.accessModes", []), ("spec.hostPath", None))),
        ("persistentvolumes", changed(VOLUME, ("spec.persistentVolumeReclaimPolicy", "Nope"))),
        ("persistentvolumes", changed(VOLUME, ("spec.local", {"path": "/x"}), ("spec.hostPath", None))),
        ("persistentvolumes", changed(VOLUME, ("spec.nfs", {"server": "a", "path": "/b"}))),
        ("persistentvolumes", changed(VOLUME, ("spec.capacity.storage", "0"))),
        ("leases", LEASE),
        ("leases", changed(LEASE, ("spec.leaseDurationSeconds", 0))),
        ("leases", changed(LEASE, ("spec.leaseTransitions", -1), ("spec.holderIdentity", ""))),
        ("endpointslices", SLICE),
        ("endpointslices", changed(SLICE, ("addressType", "Nope"))),
        ("endpointslices", changed(SLICE, ("endpoints.0.addresses", ["127.0.0.1"]))),
        ("endpointslices", changed(SLICE, ("endpoints.0.addresses", ["x"]))),
        ("endpointslices", changed(SLICE, ("endpoints.0.addresses", []))),
        ("endpointslices", changed(SLICE, ("ports", [{"port": 80, "name": "x"}, {"port": 81, "name": "x"}]))),
        ("endpointslices", changed(SLICE, ("ports.0.protocol", "HTTP"), ("ports.0.name", "A_b"))),
        ("endpoints", ENDPOINTS),
        ("endpoints", changed(ENDPOINTS, ("subsets.0.addresses", [{"ip": "127.0.0.1"}, {"ip": "x"}]))),
        ("endpoints", changed(ENDPOINTS, ("subsets.0.addresses", []))),
        ("endpoints", changed(ENDPOINTS, ("subsets.0.ports", [{"port": 0}, {"port": 5, "name": "a"}]))),
        ("roles", ROLE),
        ("roles", changed(ROLE, ("metadata.name", "a:b"))),
        ("roles", changed(ROLE, ("rules", [{"verbs": [], "apiGroups": [""], "resources": ["pods"]}]))),
        ("roles", changed(ROLE, ("rules", [{"verbs": ["get"], "resources": ["pods"]}]))),
        ("roles", changed(ROLE, ("rules", [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]))),
        ("roles", changed(ROLE, ("rules", [{"verbs": ["get"], "apiGroups": [""]}]))),
        (
            "clusterroles",
            changed(ROLE, ("rules", [{"verbs": ["get"], "nonResourceURLs": ["/x"], "resources": ["pods"]}])),
        ),
        ("clusterroles", changed(ROLE, ("rules", [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]))),
        ("rolebindings", BINDING),
        ("rolebindings", changed(BINDING, ("roleRef", {"kind": "Nope", "name": ""}))),
        ("rolebindings", changed(BINDING, ("roleRef.apiGroup", "x"))),
        ("rolebindings", changed(BINDING, ("subjects", [{"kind": "ServiceAccount", "name": "x"}]))),
        ("rolebindings", changed(BINDING, ("subjects", [{"kind": "ServiceAccount", "name": "B_", "namespace": "n"}]))),
        ("rolebindings", changed(BINDING, ("subjects", [{"kind": "Nope", "name": "x"}, {"kind": "User"}]))),
        ("clusterrolebindings", changed(BINDING, ("roleRef.kind", "Role"))),
        ("storageclasses", CLASS),
        ("storageclasses", changed(CLASS, ("provisioner", ""))),
        ("storageclasses", changed(CLASS, ("provisioner", "Bad Name"), ("reclaimPolicy", "Nope"))),
        ("storageclasses", changed(CLASS, ("volumeBindingMode", "Nope"))),
        ("nodes", NODE),
        ("nodes", changed(NODE, ("metadata.name", "Bad_Name"))),
        ("nodes", changed(NODE, ("spec.taints", [{"key": "", "effect": "Nope"}]))),
        (
            "nodes",
            changed(
                NODE, ("spec.taints", [{"key": "a", "effect": "NoSchedule"}, {"key": "a", "effect": "NoSchedule"}])
            ),
        ),
        ("nodes", changed(NODE, ("spec.taints", [{"key": "sku", "value": "gpu", "effect": "NoSchedule"}]))),
        ("nodes", changed(NODE, ("spec.podCIDR", "x"), ("spec.podCIDRs", ["x"]))),
        ("poddisruptionbudgets", BUDGET),
        ("poddisruptionbudgets", changed(BUDGET, ("spec.maxUnavailable", 1))),
        ("poddisruptionbudgets", changed(BUDGET, ("spec.minAvailable", -1))),
        ("poddisruptionbudgets", changed(BUDGET, ("spec.minAvailable", "x"))),
        ("events", EVENT),
        ("events", changed(EVENT, ("involvedObject.namespace", "other"))),
        ("events", changed(EVENT, ("involvedObject", {"kind": "Node", "name": "x"}))),
        ("controllerrevisions", {"metadata": meta(), "revision": -1, "data": {"a": 1}}),
        ("controllerrevisions", {"metadata": meta(), "revision": 1}),
        ("priorityclasses", {"metadata": meta(), "value": 2000000000}),
        ("priorityclasses", {"metadata": {"name": "system-x"}, "value": 5, "preemptionPolicy": "Nope"}),
        ("resourcequotas", {"metadata": meta(), "spec": {"hard": {"pods": "-1", "bogus": "1"}}}),
        (
            "limitranges",
            {"metadata": meta(), "spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}, "min": {"cpu": "2"}}]}},
        ),
        (
            "networkpolicies",
            {"metadata": meta(), "spec": {"podSelector": {"matchLabels": {"a b": "c"}}, "policyTypes": ["Nope"]}},
        ),
        ("ingresses", {"metadata": meta(), "spec": {}}),
        ("runtimeclasses", {"metadata": meta(), "handler": "Bad_Name"}),
        ("csinodes", {"metadata": meta(), "spec": {"drivers": [{"name": "", "nodeID": ""}]}}),
    ]


def _updates() -> list[tuple[str, Json, Json]]:
    d, s, j = DEPLOYMENT, STATEFUL_SET, JOB
    secret = changed(SECRET, ("type", "a/b"))
    spread = changed(POD, ("metadata.labels", {"a": "b"}))
    return [
        ("configmaps", CONFIG, changed(CONFIG, ("data.a", "c"))),
        ("configmaps", CONFIG, changed(CONFIG, ("metadata.uid", "zz"))),
        ("configmaps", CONFIG, changed(CONFIG, ("metadata.labels", {"a": "b c"}))),
        ("configmaps", CONFIG, changed(CONFIG, ("metadata.ownerReferences", [{}]))),
        ("configmaps", CONFIG, changed(CONFIG, ("metadata.creationTimestamp", "2020-01-01T00:00:00Z"))),
        ("configmaps", CONFIG, changed(CONFIG, ("metadata.generation", 9))),
        ("configmaps", CONFIG, changed(CONFIG, ("metadata.generateName", "x-"))),
        ("configmaps", changed(CONFIG, ("immutable", True)), CONFIG),
        ("configmaps", changed(CONFIG, ("immutable", True)), changed(CONFIG, ("immutable", True), ("data.a", "c"))),
        ("secrets", secret, changed(secret, ("type", "c/d"))),
        ("secrets", secret, changed(secret, ("stringData", {"z": "1"}))),
        ("secrets", changed(secret, ("immutable", True)), changed(secret, ("immutable", True), ("data.b", "Yg=="))),
        ("pods", POD, changed(POD, ("spec.containers.0.image", "j"))),
        ("pods", POD, changed(POD, ("spec.containers.0.command", ["x"]))),
        ("pods", POD, changed(POD, ("spec.containers.1", {"name": "d", "image": "i"}))),
        ("pods", POD, changed(POD, ("spec.restartPolicy", "Never"))),
        ("pods", POD, changed(POD, ("spec.nodeName", "n"))),
        ("pods", POD, changed(POD, ("spec.activeDeadlineSeconds", 5))),
        ("pods", changed(POD, ("spec.activeDeadlineSeconds", 5)), changed(POD, ("spec.activeDeadlineSeconds", 6))),
        ("pods", POD, changed(POD, ("spec.tolerations", [{"key": "a", "operator": "Exists"}]))),
        ("pods", changed(POD, ("spec.tolerations", [{"key": "a", "operator": "Exists"}])), POD),
        ("pods", POD, changed(POD, ("spec.terminationGracePeriodSeconds", 1))),
        ("pods", POD, changed(POD, ("spec.containers.0.resources", {"limits": {"cpu": "1"}}))),
        ("pods", POD, changed(POD, ("spec.containers.0.image", ""))),
        ("pods", POD, spread),
        ("pods", POD, changed(POD, ("status", {"phase": "Running"}))),
        ("services", SERVICE, changed(SERVICE, ("spec.clusterIP", "127.96.9.9"))),
        ("services", SERVICE, changed(SERVICE, ("spec.ports.0.port", 81))),
        ("services", SERVICE, changed(SERVICE, ("spec.clusterIP", "None"))),
        ("deployments", d, changed(d, ("spec.replicas", 3))),
        (
            "deployments",
            d,
            changed(d, ("spec.selector.matchLabels", {"x": "y"}), ("spec.template.metadata.labels", {"x": "y"})),
        ),
        ("deployments", d, changed(d, ("spec.template.spec.containers.0.image", "j"))),
        ("deployments", d, changed(d, ("metadata.annotations", {"a": "b"}))),
        ("deployments", d, changed(d, ("metadata.labels", {"a": "b"}))),
        (
            "replicasets",
            d,
            changed(d, ("spec.selector.matchLabels", {"x": "y"}), ("spec.template.metadata.labels", {"x": "y"})),
        ),
        ("replicasets", d, changed(d, ("spec.replicas", 2))),
        ("statefulsets", s, changed(s, ("spec.replicas", 3), ("spec.template.spec.containers.0.image", "j"))),
        ("statefulsets", s, changed(s, ("spec.serviceName", "z"))),
        ("statefulsets", s, changed(s, ("spec.podManagementPolicy", "Parallel"))),
        ("statefulsets", s, changed(s, ("spec.volumeClaimTemplates", [{**CLAIM, "metadata": {"name": "v"}}]))),
        (
            "statefulsets",
            s,
            changed(s, ("spec.selector.matchLabels", {"x": "y"}), ("spec.template.metadata.labels", {"x": "y"})),
        ),
        ("daemonsets", d, changed(d, ("spec.template.spec.containers.0.image", "j"))),
        (
            "daemonsets",
            d,
            changed(d, ("spec.selector.matchLabels", {"x": "y"}), ("spec.template.metadata.labels", {"x": "y"})),
        ),
        ("jobs", j, changed(j, ("spec.template.spec.containers.0.image", "j"))),
        ("jobs", j, changed(j, ("spec.completions", 3))),
        ("jobs", j, changed(j, ("spec.parallelism", 3))),
        ("jobs", j, changed(j, ("spec.suspend", True))),
        ("jobs", j, changed(j, ("spec.completionMode", "Indexed"), ("spec.completions", 1))),
        ("jobs", j, changed(j, ("spec.backoffLimit", 3))),
        ("jobs", j, changed(j, ("spec.ttlSecondsAfterFinished", 3))),
        ("persistentvolumeclaims", CLAIM, changed(CLAIM, ("spec.accessModes", ["ReadWriteMany"]))),
        ("persistentvolumeclaims", CLAIM, changed(CLAIM, ("spec.resources.requests.storage", "2Gi"))),
        ("persistentvolumeclaims", CLAIM, changed(CLAIM, ("spec.volumeName", "v"))),
        ("persistentvolumes", VOLUME, changed(VOLUME, ("spec.hostPath.path", "/b"))),
        ("persistentvolumes", VOLUME, changed(VOLUME, ("spec.capacity.storage", "2Gi"))),
        ("rolebindings", BINDING, changed(BINDING, ("roleRef.name", "z"))),
        ("storageclasses", CLASS, changed(CLASS, ("provisioner", "q"))),
        ("storageclasses", CLASS, changed(CLASS, ("parameters", {"a": "b"}), ("reclaimPolicy", "Retain"))),
        ("storageclasses", CLASS, changed(CLASS, ("allowVolumeExpansion", True))),
        ("leases", LEASE, changed(LEASE, ("spec.holderIdentity", "b"))),
        ("endpointslices", SLICE, changed(SLICE, ("addressType", "IPv6"), ("endpoints", []))),
        ("endpointslices", SLICE, changed(SLICE, ("endpoints.0.addresses", ["10.1.1.2"]))),
        ("nodes", NODE, changed(NODE, ("spec.providerID", "a"))),
        ("nodes", changed(NODE, ("spec.providerID", "a")), changed(NODE, ("spec.providerID", "b"))),
        ("nodes", NODE, changed(NODE, ("spec.unschedulable", True), ("metadata.labels", {"a": "b"}))),
        ("nodes", changed(NODE, ("spec.podCIDR", "10.0.0.0/24"), ("spec.podCIDRs", ["10.0.0.0/24"])), NODE),
        ("poddisruptionbudgets", BUDGET, changed(BUDGET, ("spec.minAvailable", 2))),
        (
            "controllerrevisions",
            {"metadata": meta(), "revision": 1, "data": {"a": 1}},
            {"metadata": meta(), "revision": 2, "data": {"a": 2}},
        ),
        ("namespaces", {"metadata": {"name": "tt"}}, {"metadata": {"name": "tt", "labels": {"x": "y"}}}),
        ("namespaces", {"metadata": {"name": "tt"}}, {"metadata": {"name": "tt"}, "spec": {"finalizers": []}}),
    ]


CREATES: list[tuple[str, Json]] = [*_metadata(), *_pods(), *_creates()]
UPDATES: list[tuple[str, Json, Json]] = _updates()
