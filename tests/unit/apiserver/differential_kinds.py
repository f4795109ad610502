"""Further kinds for random sequences: one full object of each, so that many of its fields are touched."""

from __future__ import annotations

from typing import Any

from tests.unit.apiserver.differential import APPS, CORE, RBAC, SELECTOR, TEMPLATE, WORKLOAD, Kinds

CLUSTER_RBAC = "/apis/rbac.authorization.k8s.io/v1/"
NETWORKING, STORAGE = "/apis/networking.k8s.io/v1/", "/apis/storage.k8s.io/v1/"
ADMISSION = "/apis/admissionregistration.k8s.io/v1/"
FLOW = "/apis/flowcontrol.apiserver.k8s.io/v1/"
DEVICES = "/apis/resource.k8s.io/v1/"
AUTOSCALERS = "/apis/autoscaling/{}/namespaces/default/horizontalpodautoscalers"
ROLE: dict[str, Any] = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], "resourceNames": ["a"]}
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
WEBHOOK: dict[str, Any] = {
    "name": "hook.none.dev",
    "clientConfig": {"service": {"namespace": "default", "name": "s", "path": "/p"}},
    "rules": [{"apiGroups": ["none.dev"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["nones"]}],
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
    "matchConditions": [{"name": "m", "expression": "true"}],
}
CONSTRAINTS = {"resourceRules": [WEBHOOK["rules"][0]]}
JOB_TEMPLATE = {"spec": {"template": {"spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}}}
REQUEST = (
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIcU1JR1JBZ0VBTUM4eEZqQVVCZ05WQkFNTURYTjVjM1JsYlRwdWIyUmxPbU"
    "V4RlRBVEJnTlZCQW9NREhONQpjM1JsYlRwdWIyUmxjekJaTUJNR0J5cUdTTTQ5QWdFR0NDcUdTTTQ5QXdFSEEwSUFCSUVReGduR3F1YkZJMVFR"
    "CjQxcXJVTnF0aUVmY1hxYWZJZzdKMHJSVVphWTlTWFBqZm9CbVk1bDV6ZWd4bWI4STU2SHlEVjdWNlBPQWtkRkoKd1QwZGFFMmdBREFLQmdncW"
    "hrak9QUVFEQWdOSUFEQkZBaUEyMndEcFIvb0thaVc0eG1TRkNjSmxLWTlGTFIyVgpRSEc5TWJOdjkvR2VnUUloQUw3TThJVmVEN3pHYk55eXRo"
    "Y3VFYjBqTlRFWG9oRnhCcmUyWHpCYmJsRXQKLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg=="
)
"""A certificate request of system:node:a in the group system:nodes, PEM in base64."""
DEVICE_REQUEST: dict[str, Any] = {
    "devices": {
        "requests": [
            {
                "name": "r",
                "exactly": {
                    "deviceClassName": "gpu",
                    "selectors": [{"cel": {"expression": "true"}}],
                    "tolerations": [{"key": "k", "value": "v", "effect": "NoSchedule"}],
                },
            }
        ],
        "constraints": [{"requests": ["r"], "matchAttribute": "x.dev/a"}],
    }
}
MORE_KINDS: Kinds = {
    "ControllerRevision": (APPS + "controllerrevisions", {"data": {"spec": {"a": "b"}}, "revision": 1}),
    "PodDisruptionBudget": (
        "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
        {"spec": {"minAvailable": 1, "selector": SELECTOR, "unhealthyPodEvictionPolicy": "AlwaysAllow"}},
    ),
    "EndpointSlice": (
        "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
        {
            "addressType": "IPv4",
            "endpoints": [
                {
                    "addresses": ["10.1.2.3"],
                    "conditions": {"ready": True},
                    "nodeName": "n",
                    "zone": "z",
                    "hints": {"forZones": [{"name": "z"}]},
                    "targetRef": {"kind": "Pod", "name": "p", "namespace": "default"},
                }
            ],
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "appProtocol": "http"}],
        },
    ),
    "Endpoints": (
        CORE + "endpoints",
        {
            "subsets": [
                {
                    "addresses": [{"ip": "10.1.2.3", "hostname": "h", "targetRef": {"kind": "Pod", "name": "p"}}],
                    "ports": [{"name": "http", "port": 80}],
                }
            ]
        },
    ),
    "Role": (RBAC + "roles", {"rules": [ROLE]}),
    "RoleBinding": (
        RBAC + "rolebindings",
        {
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
            "subjects": [
                {"kind": "ServiceAccount", "name": "s", "namespace": "default"},
                {"kind": "User", "name": "u"},
            ],
        },
    ),
    "ClusterRole": (
        CLUSTER_RBAC + "clusterroles",
        {"rules": [ROLE, {"nonResourceURLs": ["/x"], "verbs": ["get"]}]},
    ),
    "ClusterRole/aggregated": (
        CLUSTER_RBAC + "clusterroles",
        {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"no": "body"}}]}, "rules": []},
    ),
    "ClusterRoleBinding": (
        CLUSTER_RBAC + "clusterrolebindings",
        {
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"},
            "subjects": [{"kind": "Group", "name": "g"}],
        },
    ),
    "IngressClass": (
        NETWORKING + "ingressclasses",
        {
            "spec": {
                "controller": "x.dev/c",
                "parameters": {"apiGroup": "x.dev", "kind": "P", "name": "p", "scope": "Cluster"},
            }
        },
    ),
    "Ingress": (
        NETWORKING + "namespaces/default/ingresses",
        {
            "spec": {
                "ingressClassName": "c",
                "defaultBackend": {"service": {"name": "s", "port": {"number": 80}}},
                "rules": [
                    {
                        "host": "a.dev",
                        "http": {
                            "paths": [
                                {
                                    "path": "/",
                                    "pathType": "Prefix",
                                    "backend": {"service": {"name": "s", "port": {"name": "http"}}},
                                }
                            ]
                        },
                    }
                ],
                "tls": [{"hosts": ["a.dev"], "secretName": "t"}],
            }
        },
    ),
    "NetworkPolicy": (
        NETWORKING + "namespaces/default/networkpolicies",
        {
            "spec": {
                "podSelector": SELECTOR,
                "ingress": [
                    {
                        "from": [
                            {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
                            {"namespaceSelector": SELECTOR, "podSelector": SELECTOR},
                        ],
                        "ports": [{"port": 80, "protocol": "TCP", "endPort": 90}],
                    }
                ],
                "egress": [{"to": [{"podSelector": {}}], "ports": [{"port": "http"}]}],
            }
        },
    ),
    "HorizontalPodAutoscaler": (
        AUTOSCALERS.format("v2"),
        {
            "spec": {
                "scaleTargetRef": TARGET,
                "minReplicas": 1,
                "maxReplicas": 3,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
                    },
                    {
                        "type": "Pods",
                        "pods": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "1"}},
                    },
                ],
                "behavior": {
                    "scaleDown": {
                        "stabilizationWindowSeconds": 60,
                        "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
                    }
                },
            }
        },
    ),
    "HorizontalPodAutoscaler/v1": (
        AUTOSCALERS.format("v1"),
        {"spec": {"scaleTargetRef": TARGET, "maxReplicas": 3, "targetCPUUtilizationPercentage": 50}},
    ),
    "CronJob": (
        "/apis/batch/v1/namespaces/default/cronjobs",
        {
            "spec": {
                "schedule": "*/5 * * * *",
                "timeZone": "Etc/UTC",
                "concurrencyPolicy": "Forbid",
                "startingDeadlineSeconds": 10,
                "jobTemplate": JOB_TEMPLATE,
            }
        },
    ),
    "LimitRange": (
        CORE + "limitranges",
        {"spec": {"limits": [{"type": "x.dev/t", "max": {"cpu": "2"}, "min": {"cpu": "1"}}]}},
    ),
    "ResourceQuota": (
        CORE + "resourcequotas",
        {"spec": {"hard": {"count/nones.none.dev": "10"}, "scopes": ["BestEffort"]}},
    ),
    "PodTemplate": (CORE + "podtemplates", {"template": TEMPLATE}),
    "ReplicationController": (
        CORE + "replicationcontrollers",
        {"spec": {"replicas": 1, "minReadySeconds": 1, "selector": {"a": "b"}, "template": TEMPLATE}},
    ),
    "PriorityClass": ("/apis/scheduling.k8s.io/v1/priorityclasses", {"value": 10, "description": "d"}),
    "RuntimeClass": (
        "/apis/node.k8s.io/v1/runtimeclasses",
        {
            "handler": "h",
            "overhead": {"podFixed": {"cpu": "1"}},
            "scheduling": {"nodeSelector": {"a": "b"}, "tolerations": [{"key": "k", "operator": "Exists"}]},
        },
    ),
    "StorageClass": (
        STORAGE + "storageclasses",
        {
            "provisioner": "x.dev/p",
            "parameters": {"a": "b"},
            "mountOptions": ["ro"],
            "allowVolumeExpansion": True,
            "allowedTopologies": [{"matchLabelExpressions": [{"key": "k", "values": ["v"]}]}],
        },
    ),
    "CSIDriver": (
        STORAGE + "csidrivers",
        {
            "spec": {
                "podInfoOnMount": True,
                "fsGroupPolicy": "File",
                "tokenRequests": [{"audience": "a", "expirationSeconds": 3600}],
                "volumeLifecycleModes": ["Persistent", "Ephemeral"],
            }
        },
    ),
    "CSINode": (
        STORAGE + "csinodes",
        {"spec": {"drivers": [{"name": "x.dev", "nodeID": "n", "topologyKeys": ["k"], "allocatable": {"count": 3}}]}},
    ),
    "CSIStorageCapacity": (
        STORAGE + "namespaces/default/csistoragecapacities",
        {"storageClassName": "s", "capacity": "1Gi", "maximumVolumeSize": "1Gi", "nodeTopology": SELECTOR},
    ),
    "VolumeAttachment": (
        STORAGE + "volumeattachments",
        {"spec": {"attacher": "x.dev", "nodeName": "n", "source": {"persistentVolumeName": "v"}}},
    ),
    "VolumeAttributesClass": (STORAGE + "volumeattributesclasses", {"driverName": "x.dev", "parameters": {"a": "b"}}),
    "PersistentVolume": (
        "/api/v1/persistentvolumes",
        {
            "spec": {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteOnce"],
                "csi": {"driver": "x.dev", "volumeHandle": "h", "fsType": "ext4"},
                "storageClassName": "s",
                "claimRef": {"kind": "PersistentVolumeClaim", "name": "c", "namespace": "default"},
                "mountOptions": ["ro"],
            }
        },
    ),
    "ReplicaSet": (APPS + "replicasets", {"spec": {"replicas": 2, "minReadySeconds": 1, **WORKLOAD}}),
    "StatefulSet": (
        APPS + "statefulsets",
        {
            "spec": {
                "serviceName": "s",
                "replicas": 2,
                "podManagementPolicy": "Parallel",
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}},
                "volumeClaimTemplates": [
                    {
                        "metadata": {"name": "v"},
                        "spec": {
                            "accessModes": ["ReadWriteOnce"],
                            "resources": {"requests": {"storage": "1Gi"}},
                        },
                    }
                ],
                **WORKLOAD,
            }
        },
    ),
    "DaemonSet": (
        APPS + "daemonsets",
        {
            "spec": {
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
                "minReadySeconds": 1,
                **WORKLOAD,
            }
        },
    ),
    "ResourceClaim": (DEVICES + "namespaces/default/resourceclaims", {"spec": DEVICE_REQUEST}),
    "ResourceClaimTemplate": (
        DEVICES + "namespaces/default/resourceclaimtemplates",
        {"spec": {"metadata": {"labels": {"a": "b"}}, "spec": DEVICE_REQUEST}},
    ),
    "DeviceClass": (
        DEVICES + "deviceclasses",
        {
            "spec": {
                "selectors": [{"cel": {"expression": "true"}}],
            }
        },
    ),
    "ResourceSlice": (
        DEVICES + "resourceslices",
        {
            "spec": {
                "driver": "x.dev",
                "nodeName": "n",
                "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1},
                "devices": [{"name": "d", "attributes": {"a": {"string": "b"}}, "capacity": {"m": {"value": "1Gi"}}}],
            }
        },
    ),
    "PriorityLevelConfiguration": (
        FLOW + "prioritylevelconfigurations",
        {
            "spec": {
                "type": "Limited",
                "limited": {
                    "nominalConcurrencyShares": 1,
                    "limitResponse": {"type": "Queue", "queuing": {"queues": 2, "handSize": 1, "queueLengthLimit": 2}},
                },
            }
        },
    ),
    "ValidatingAdmissionPolicy": (
        ADMISSION + "validatingadmissionpolicies",
        {
            "spec": {
                "matchConstraints": CONSTRAINTS,
                "validations": [{"expression": "true", "message": "m"}],
                "variables": [{"name": "v", "expression": "1"}],
                "auditAnnotations": [{"key": "k", "valueExpression": "'v'"}],
            }
        },
    ),
    "ValidatingAdmissionPolicyBinding": (
        ADMISSION + "validatingadmissionpolicybindings",
        {
            "spec": {
                "policyName": "none",
                "validationActions": ["Deny"],
                "paramRef": {"name": "p", "namespace": "default", "parameterNotFoundAction": "Deny"},
                "matchResources": CONSTRAINTS,
            }
        },
    ),
    "MutatingWebhookConfiguration": (ADMISSION + "mutatingwebhookconfigurations", {"webhooks": [WEBHOOK]}),
    "ValidatingWebhookConfiguration": (ADMISSION + "validatingwebhookconfigurations", {"webhooks": [WEBHOOK]}),
    "CertificateSigningRequest": (
        "/apis/certificates.k8s.io/v1/certificatesigningrequests",
        {
            "spec": {
                "request": REQUEST,
                "signerName": "x.dev/signer",
                "usages": ["digital signature", "client auth"],
                "expirationSeconds": 3600,
            }
        },
    ),
    "Lease": (
        "/apis/coordination.k8s.io/v1/namespaces/default/leases",
        {
            "spec": {
                "holderIdentity": "a",
                "leaseDurationSeconds": 15,
                "acquireTime": "2026-01-02T03:04:05.123456Z",
                "renewTime": "2026-01-02T03:04:05.123456Z",
                "leaseTransitions": 1,
            }
        },
    ),
    "Event": (
        "/apis/events.k8s.io/v1/namespaces/default/events",
        {
            "eventTime": "2026-01-02T03:04:05.123456Z",
            "reportingController": "x.dev/c",
            "reportingInstance": "i",
            "action": "Acted",
            "reason": "R",
            "note": "N",
            "type": "Normal",
            "regarding": {"kind": "Pod", "name": "x", "namespace": "default"},
            "series": {"count": 2, "lastObservedTime": "2026-01-02T03:04:05.123456Z"},
        },
    ),
    "ServiceCIDR": (NETWORKING + "servicecidrs", {"spec": {"cidrs": ["192.168.7.0/24"]}}),
}
"""The part of a key after a slash only tells variants of a kind apart.

Left out: FlowSchemas and APIServices, into whose statuses the real server itself writes at any time, IPAddresses, which
have addresses for names, and the parameters of devices, which it compares as text.
"""
SHALLOW = frozenset(
    {
        *("DeviceClass", "ResourceClaim", "ResourceClaimTemplate", "ResourceSlice"),
        *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
        *(
            "MutatingWebhookConfiguration",
            "ValidatingWebhookConfiguration",
            "PriorityLevelConfiguration",
            "ServiceCIDR",
        ),
    }
)
"""Kinds whose fields are validated less here (docs/embedded.md): what the real server refuses ends a sequence."""
CONDITION = {
    "type": "Ready",
    "status": "True",
    "reason": "R",
    "message": "m",
    "lastTransitionTime": "2026-01-02T03:04:05Z",
}
STATUSES: dict[str, list[dict[str, Any]]] = {
    "PodDisruptionBudget": [
        {"currentHealthy": 1, "desiredHealthy": 1, "disruptionsAllowed": 0, "expectedPods": 1},
        {"conditions": [CONDITION], "observedGeneration": 1},
        {"conditions": [CONDITION | {"reason": ""}], "disruptionsAllowed": -1},
        {"conditions": [CONDITION, CONDITION]},
        {"disruptedPods": {"p": "2026-01-02T03:04:05Z"}},
    ],
    "ReplicaSet": [{"replicas": 2, "readyReplicas": 3}, {"replicas": 2, "fullyLabeledReplicas": 2}, {"replicas": -1}],
    "ReplicationController": [{"replicas": 2, "readyReplicas": 3}, {"replicas": 2, "availableReplicas": 1}],
    "StatefulSet": [{"replicas": 2, "currentReplicas": 3}, {"replicas": 1, "collisionCount": 1}, {"replicas": -1}],
    "DaemonSet": [
        {"desiredNumberScheduled": 2, "numberReady": 1},
        {"numberUnavailable": -1, "observedGeneration": -1},
        {"conditions": [CONDITION]},
    ],
    "HorizontalPodAutoscaler": [
        {"currentReplicas": 1, "desiredReplicas": 2, "currentMetrics": []},
        {"conditions": [{"type": "AbleToScale", "status": "True"}], "desiredReplicas": -1},
    ],
    "CronJob": [
        {"lastScheduleTime": "2026-01-02T03:04:05Z"},
        {"active": [{"kind": "Job", "name": "j", "namespace": "default", "apiVersion": "batch/v1"}]},
    ],
    "Ingress": [
        {"loadBalancer": {"ingress": [{"ip": "10.1.2.3", "ports": [{"port": 80, "protocol": "TCP"}]}]}},
        {"loadBalancer": {"ingress": [{"hostname": "a.dev", "ip": "x"}]}},
    ],
    "PersistentVolume": [{"phase": "Bound"}, {"phase": "Bad", "message": "m", "reason": "r"}],
    "ResourceQuota": [
        {"used": {"count/nones.none.dev": "1"}, "hard": {"count/nones.none.dev": "10"}},
        {"used": {"a": "-1"}},
    ],
    "VolumeAttachment": [{"attached": True, "attachmentMetadata": {"a": "b"}}, {"attachError": {"message": "m"}}],
    "CertificateSigningRequest": [
        {"conditions": [{"type": "Approved", "status": "True", "reason": "R"}]},
        {"conditions": [{"type": "Failed", "status": "False"}]},
        {"certificate": "eA=="},
    ],
    "ResourceClaim": [{"reservedFor": [{"resource": "pods", "name": "p", "uid": "u"}]}, {"devices": []}],
    "PriorityLevelConfiguration": [{"conditions": [{"type": "X", "status": "True"}]}],
    "ValidatingAdmissionPolicy": [
        {"conditions": [CONDITION], "observedGeneration": 1},
        {"typeChecking": {"expressionWarnings": [{"fieldRef": "f", "warning": "w"}]}},
    ],
    "ServiceCIDR": [{"conditions": [CONDITION]}, {"conditions": [CONDITION | {"status": "x"}]}],
}
