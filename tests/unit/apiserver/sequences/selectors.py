"""Accept headers and selectors that random reads draw from, right and wrong."""

from __future__ import annotations

import random

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
ACCEPTS = [
    *["application/json"] * 12,
    *(TABLE, TABLE, TABLE + ",application/json", TABLE.replace("v=v1", "v=v1beta1"), TABLE.replace("v1", "v2")),
    *("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", "application/yaml", "*/*", "application/*"),
    *("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", "text/plain", "application/xml;q=0.9", ""),
    *("application/yaml;as=Table;v=v1;g=meta.k8s.io", "application/json;as=Bogus;v=v1;g=meta.k8s.io"),
    *("application/json;as=Table;v=v1;g=other.io", "text/html,application/json;q=0.5", "application/json;pretty=1"),
    *("application/json;stream=watch", "application/json;charset=utf-8", "application/json;as=Table", "a/b;;,"),
]
LABELS = [
    *("a=1", "a==1", "a!=1", "a in (1,2)", "a notin (1)", "a", "!a", "a>1", "a<2", "a in ()", "a,b", "a=1,b!=2", "a="),
    *("=x", "a in 1", "a in (1", "a>x", "a=b=c", "_x=1", "a=.bad", ",", "a,,b", "!a=1", "a notin (1,2),b", "x/y/z=1"),
    *("/a=1", "a in (1,,2)", " a = 1 ", "in in (in)", "a gt 1", "!", "a in (,)", "a,", "!in", "a==", "a!=", "a=(1)"),
    *(
        "x.io/y=1",
        "X.io/y",
        "a>1,a<5",
        "a=!",
        "a notin ()",
        "a in (1) b",
        "a!1",
        "a(",
        "notin",
        "a=\t1",
        "a=" + "x" * 64,
    ),
]
FIELDS = [
    *(
        "metadata.name=o1",
        "metadata.name!=o1",
        "metadata.name==o1",
        "metadata.namespace=default",
        "metadata.name",
        "=x",
    ),
    *("metadata.uid=1", "metadata.name=o1,metadata.name=o2", "metadata.name=o1\\,x", "metadata.name=a=b", "a\\b=c"),
    *("metadata.name=o\\x", "metadata.name=o1,", ",", "metadata.labels.a=1", "bogus=1", "metadata.name!=o1,", "a!b"),
    *("metadata.namespace!=x", "metadata.name=o1 ", " metadata.name=o1", "metadata.name=o\\=1", "metadata.name>o1"),
    "metadata.name=",
]
BY_KIND: dict[str, list[str]] = {
    "pods": [
        "spec.nodeName=n1",
        "spec.restartPolicy=Never",
        "status.phase=Pending",
        "spec.schedulerName!=x",
        "status.podIP=",
    ],
    "events": [
        *(
            "involvedObject.name=x",
            "type=Normal",
            "reason!=R",
            "source=kubelet",
            "reportingComponent=me",
            "type=Warning",
        ),
        *(
            "involvedObject.kind=Pod,involvedObject.name=y",
            "involvedObject.uid=",
            "involvedObject.fieldPath=",
            "message=M",
        ),
    ],
    "secrets": ["type=Opaque", "type!=Opaque", "type=a/b"],
    "jobs": ["status.successful=0", "status.successful!=1", "status.successful=x"],
    "nodes": ["spec.unschedulable=true", "spec.unschedulable=false", "spec.unschedulable!=true"],
    "namespaces": ["status.phase=Active", "status.phase!=Active", "name=x"],
    "replicasets": ["status.replicas=0", "status.replicas!=0"],
    "services": ["spec.clusterIP=None", "spec.type=ClusterIP", "spec.type!=ClusterIP"],
    "widgets": ["spec.color=red", "spec.color!=red", "spec.color=", "spec.size=3"],
    "replicationcontrollers": ["status.replicas=0"],
    "certificatesigningrequests": ["spec.signerName=x.io/y"],
}


def spoilt(rng: random.Random, text: str) -> str:
    """The text, now and then with a character more, less, or another."""
    if rng.random() > 0.15 or not text:
        return text
    at = rng.randrange(len(text))
    return (
        text[:at]
        + rng.choice(["", "=", ",", "!", "(", ")", " ", "\\", "-", "é", "\t"])
        + text[at + rng.randint(0, 1) :]
    )


def label_selector(rng: random.Random) -> str:
    return spoilt(rng, rng.choice(LABELS))


def field_selector(rng: random.Random, plural: str) -> str:
    other = BY_KIND.get(plural, [])
    if rng.random() < 0.15:
        other = BY_KIND[rng.choice(sorted(BY_KIND))]
    return spoilt(rng, rng.choice(FIELDS + other * 4))
