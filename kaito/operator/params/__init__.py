"""Default parameters, as the ConfigMaps in the release namespace hold them: of training, by flavour and method, and of
inference.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

from kaito.operator.manifests import names
from kaito.operator.settings import ModelFlavor

METHODS = ("lora", "qlora")


def params_template(method: str, flavor: ModelFlavor) -> str:
    """One template as YAML: for `full` with the values of Kaito 0.12, for `tiny` with ones that tune 0.3 M weights."""
    return (resources.files(__name__) / f"{flavor}-{method}.yaml").read_text(encoding="utf-8")


def params_config_map(method: str, flavor: ModelFlavor, namespace: str) -> dict[str, Any]:
    """The ConfigMap that workspaces without a `tuning.config` get a copy of."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{method}-params-template", "namespace": namespace},
        "data": {names.TRAINING_CONFIG_FILE: params_template(method, flavor)},
    }


def inference_config_map(namespace: str) -> dict[str, Any]:
    """The ConfigMap that must be there for v1alpha1 inference workspaces without a `config`."""
    text = (resources.files(__name__) / "inference.yaml").read_text(encoding="utf-8")
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "inference-params-template", "namespace": namespace},
        "data": {names.INFERENCE_CONFIG_FILE: text},
    }
