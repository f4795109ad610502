"""Admission of workspaces and InferenceSets: the pure rules of `kaito.api.validation`, fed from the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kaito.api import labels
from kaito.api.validation import (
    AdmissionContext,
    DecodingError,
    check_decoding,
    validate_create,
    validate_inferenceset,
    validate_update,
)
from kaito.api.validation.tuning_config import template_name
from kaito.api.validation.workspace import WEBHOOK
from kaito.catalog import CATALOG
from kaito.catalog.nearest import advice
from kaito.kube.client import KubeClient
from kaito.kube.errors import ApiError, NotFound
from kaito.kube.objects import is_deleting
from kaito.kube.resources import CONFIG_MAPS, INFERENCE_SETS, NODES, WORKSPACES
from kaito.operator.settings import OperatorSettings

INFERENCE_TEMPLATE = "inference-params-template"
WEBHOOKS = {
    WORKSPACES.plural: WEBHOOK,
    INFERENCE_SETS.plural: "validation.inferenceset.kaito.sh",
}
"""The webhook that judges each resource, by plural."""
_PARTS = ("spec", "resource", "inference", "tuning")
_OWN_ANNOTATIONS = frozenset({labels.WORKSPACE_HASH, labels.WORKSPACE_REVISION})
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True)
class Review:
    """The verdict on one request."""

    allowed: bool
    message: str = ""
    """Why not, complete with the name of the webhook, as kubectl shows it."""
    warnings: tuple[str, ...] = ()
    """What kubectl prints before it: advice, where Kaito's own wording is hard to read."""
    code: int = 400
    """HTTP status of a refusal."""

    @property
    def bare_message(self) -> str:
        """The message without the prefix that an API server puts before a webhook's answer itself."""
        return self.message.partition(" denied the request: ")[2] or self.message


class Reviewer:
    """Decides about workspaces and InferenceSets that are created or changed; everything else is allowed."""

    def __init__(self, client: KubeClient, settings: OperatorSettings) -> None:
        self._client = client
        self._settings = settings

    async def review(
        self,
        operation: str,
        gvr: tuple[str, str, str],
        old: Mapping[str, Any] | None,
        new: Mapping[str, Any] | None,
        *,
        subresource: str = "",
    ) -> Review:
        """The verdict. `operation` is CREATE, UPDATE or DELETE, `gvr` group, version and plural.

        Objects come as the API server has them after defaulting and pruning, in the version of the request. A cluster
        that cannot be asked refuses (failurePolicy Fail).
        """
        group, _, plural = gvr
        if group != WORKSPACES.group or plural not in WEBHOOKS or subresource or new is None:
            return Review(True)
        if operation not in ("CREATE", "UPDATE") or is_deleting(new):
            return Review(True)
        if operation == "UPDATE" and old is not None and not _changed(old, new):
            return Review(True)
        webhook = WEBHOOKS[plural]
        try:
            check_decoding(new)
        except DecodingError as error:
            return _refusal(webhook, str(error))
        try:
            context = await self._context(new)
        except ApiError as error:
            return Review(False, f'failed calling webhook "{webhook}": {error.message}', code=500)
        if plural == INFERENCE_SETS.plural:
            errors = validate_inferenceset(new, context, old if operation == "UPDATE" else None)
        elif operation == "CREATE" or old is None:
            errors = validate_create(new, context)
        else:
            errors = validate_update(old, new, context)
        text = str(errors)
        return _refusal(webhook, f"validation failed: {text}") if text else Review(True)

    async def _context(self, obj: Mapping[str, Any]) -> AdmissionContext:
        settings = self._settings
        config_maps = {place: await self._data(*place) for place in self._config_maps(obj)}
        nodes: list[dict[str, Any]] = []
        if not settings.provisions_nodes:
            nodes = (await self._client.list(NODES)).items
        return AdmissionContext(
            catalog=CATALOG,
            config_map=lambda namespace, name: config_maps.get((namespace, name)),
            nodes=lambda: nodes,
            cloud=settings.cloud,
            provisioner="azure-gpu-provisioner" if settings.provisions_nodes else "byo",
            gates={"vLLM": settings.vllm_enabled},
            release_namespace=settings.release_namespace,
        )

    def _config_maps(self, obj: Mapping[str, Any]) -> set[tuple[str, str]]:
        """The ConfigMaps that the rules may ask for, as (namespace, name)."""
        namespace = str(obj["metadata"].get("namespace") or "")
        workspace = obj["spec"].get("template") or {} if obj.get("kind") == INFERENCE_SETS.kind else obj
        release = self._settings.release_namespace
        wanted = {(release, INFERENCE_TEMPLATE)} if workspace.get("inference") else set()
        for part in ("inference", "tuning"):
            config = (workspace.get(part) or {}).get("config")
            if config:
                wanted.add((namespace, str(config)))
        if tuning := workspace.get("tuning"):
            wanted.add((release, template_name(str(tuning.get("method") or ""))))
        return {place for place in wanted if place[0] and place[1]}

    async def _data(self, namespace: str, name: str) -> Mapping[str, str] | None:
        try:
            found = await self._client.get(CONFIG_MAPS, name, namespace)
        except NotFound:
            return None
        return dict(found.get("data") or {})


def _refusal(webhook: str, text: str) -> Review:
    said = advice(text)
    message = f'admission webhook "{webhook}" denied the request: {text}'
    return Review(False, message, warnings=(said,) if said else ())


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether an update touches anything that a rule looks at.

    Finalizers, labels and the operator's own annotations do not: Kaito checks those writes too, and so can never begin
    on a workspace that was admitted with an adapter which its update rules refuse.
    """
    if any(old.get(part) != new.get(part) for part in _PARTS):
        return True
    return _annotations(old) != _annotations(new)


def _annotations(obj: Mapping[str, Any]) -> dict[str, str]:
    found = obj["metadata"].get("annotations") or {}
    return {key: value for key, value in found.items() if key not in _OWN_ANNOTATIONS and key != _LAST_APPLIED}
