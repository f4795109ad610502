"""What a workspace chooses by annotation or field, read in one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kaito.api import labels
from kaito.operator.manifests import names
from kaito.operator.settings import OperatorSettings


def runtime_of(workspace: Mapping[str, Any], settings: OperatorSettings) -> str:
    """`vllm` or `transformers`: Kaito's choice from gate and annotation. Here it decides ports, not the server."""
    wanted = names.annotation(workspace, labels.RUNTIME)
    return "transformers" if wanted == "transformers" or not settings.vllm_enabled else "vllm"


def preset_name(workspace: Mapping[str, Any]) -> str | None:
    """The preset of the workspace's inference or tuning, as typed; None for a template."""
    part = workspace.get("inference") or workspace.get("tuning") or {}
    name = (part.get("preset") or {}).get("name")
    return str(name) if name else None


def serves_after_tuning(workspace: Mapping[str, Any], settings: OperatorSettings) -> bool:
    """Whether a tuning workspace that succeeded is served: the annotation, else the operator's setting."""
    wanted = names.annotation(workspace, labels.SERVE_AFTER_TUNING)
    if wanted is None:
        return settings.serve_after_tuning
    return wanted.strip().lower() != "false"


def tuning_config_map(workspace: Mapping[str, Any]) -> str:
    """The ConfigMap with the training parameters: the user's, or the method's template (method in any case)."""
    tuning = workspace["tuning"]
    return str(tuning.get("config") or f"{str(tuning.get('method') or '').lower()}-params-template")
