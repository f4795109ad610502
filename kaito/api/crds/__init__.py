"""CustomResourceDefinitions: generated from `kaito.api.models`, checked in as YAML beside this file.

`python -m kaito.api.crds` writes the files anew; a test proves that they are fresh.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import yaml

FILES = ("kaito.sh_workspaces.yaml", "kaito.sh_inferencesets.yaml", "karpenter.sh_nodeclaims.yaml")


@cache
def _load(name: str) -> str:
    return (resources.files(__name__) / name).read_text(encoding="utf-8")


def crd_manifests() -> list[dict[str, Any]]:
    """The CRDs of Workspace, InferenceSet and NodeClaim, ready to apply; a fresh copy on each call."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [yaml.load(_load(name), Loader=loader) for name in FILES]  # noqa: S506  (a safe loader)
