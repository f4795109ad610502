"""Names that are interface: containers, volumes, paths in containers, and the names of child objects.

Keys of labels and annotations are in `kaito.api.labels`. Source: Kaito 0.12 and the objects its controller was seen to
make.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

POD_NAME_LABEL = "statefulset.kubernetes.io/pod-name"
MULTI_ROLE_CREATED_BY = "multiroleinference.kaito.sh/created-by"
SERVED_JOB_ANNOTATION = "kaito.sh/served-job"
"""On the pods of a server made after tuning: the uid of the Job whose adapter they load."""
COPIED_FROM_ANNOTATION = "kaito.sh/copied-from"
"""On a ConfigMap copied from the release namespace: where it came from, as `namespace/name`."""

PULLER = "puller"
DATA_DOWNLOADER = "data-downloader"
WEIGHTS_DOWNLOADER = "model-weights-downloader"
PUSHER = "pusher"
PAUSE = "pause"

HTTP_PORT = 5000
RENDEZVOUS_PORT = 29500

DATA_PATH = "/mnt/data"
CONFIG_PATH = "/mnt/config"
WEIGHTS_PATH = "/workspace/weights"
ADAPTER_PATH = "/mnt/adapter"
MIRRORS_PATH = "/mnt/mirrors"
MIRRORS_FILE = "mirrors.yaml"
DOCKER_CONFIG_PATH = "/root/.docker"
LOCAL_MODELS_PATH = "/opt/kaito/models"
TRAINING_CONFIG_FILE = "training_config.yaml"
INFERENCE_CONFIG_FILE = "inference_config.yaml"


def name_of(workspace: Mapping[str, Any]) -> str:
    """The workspace's name, which is also the name of its Service, StatefulSet, Job and main container."""
    return str(workspace["metadata"]["name"])


def namespace_of(workspace: Mapping[str, Any]) -> str:
    """The namespace of the workspace and of everything it owns."""
    return str(workspace["metadata"]["namespace"])


def annotation(obj: Mapping[str, Any], key: str) -> str | None:
    """One annotation of any object, or None."""
    value = (obj["metadata"].get("annotations") or {}).get(key)
    return None if value is None else str(value)


def headless_name(workspace: Mapping[str, Any]) -> str:
    """The governing Service of the workspace's StatefulSet."""
    return f"{name_of(workspace)}-headless"


def pod_name(workspace: Mapping[str, Any], ordinal: int = 0) -> str:
    """One pod of the workspace's StatefulSet."""
    return f"{name_of(workspace)}-{ordinal}"


def node_claim_name(workspace: Mapping[str, Any], index: int) -> str:
    """The name of the workspace's `index`-th NodeClaim: `ws` and nine hex digits.

    It follows from the workspace's uid, so that a pass that is repeated after a crash makes no second claim (Kaito
    hashes the time as well and can make two). It fits `^[a-z][a-z0-9]{0,11}$`, as agent pool names must.
    """
    seed = f"{namespace_of(workspace)}/{name_of(workspace)}/{workspace['metadata']['uid']}/{index}"
    return "ws" + hashlib.sha256(seed.encode()).hexdigest()[:9]


def label_name(text: str) -> str:
    """`text` as the name of a container or volume: a DNS label of at most 63 characters.

    A good name comes back unchanged. Adapter names may hold dots and be long, which Kaito passes on into names that the
    API server then refuses; here dots become dashes and the tail of a long name its digest.
    """
    name = re.sub(r"[^a-z0-9-]", "-", text.lower())
    if len(name) <= 63:
        return name
    return f"{name[:54]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
