"""One pass over a living claim: finalizer, launch, registration, initialization, liveness, repair.

Source of the order, conditions, reasons and messages: Karpenter v1 (`nodeclaim/lifecycle`). Different on purpose: the
provider answers at once, so a claim whose machine is being made waits in Launched=Unknown (Provisioning).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kaito.api import conditions, labels
from kaito.kube.controller import Result
from kaito.kube.errors import NotFound as ObjectNotFound
from kaito.kube.objects import Key, is_deleting, parse_time
from kaito.kube.resources import NODE_CLAIMS, NODES
from kaito.operator.nodeclaim import claims, nodes
from kaito.operator.nodeclaim.backoff import Backoff
from kaito.operator.nodeclaim.status import ClaimStatus
from kaito.operator.nodeclaim.termination import Termination
from kaito.operator.nodeclaim.world import World
from kaito.providers import NodeRecord, NodeState
from kaito.providers.errors import CLASSES, InvalidRequest, NotFound, ProviderError, ProvisionFailed, wrapped

PROVISIONING = "Provisioning"
_BY_REASON = {one.reason: one for one in reversed(CLASSES)}


class Lifecycle:
    """`reconcile` is what the controller runs for each claim."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._backoff = Backoff(world.clock)
        self._termination = Termination(world)

    async def reconcile(self, key: Key) -> Result | None:
        """Bring the claim one pass further."""
        claim = self._world.claims.get(key.name)
        if claim is None:
            self._backoff.forget(key.name)
            return None
        if not claims.is_managed(claim):
            return None
        if is_deleting(claim):
            self._backoff.forget(key.name)
            return await self._termination.run(claim)
        claim = await self._ensure_finalizer(claim)
        status = ClaimStatus(claim, self._world.clock.now())
        delay = await self._advance(claim, status)
        status.finish()
        await self._write(claim, status)
        if await self._give_up(claim, status):
            return None
        return Result(delay) if delay is not None else None

    async def _ensure_finalizer(self, claim: Mapping[str, Any]) -> dict[str, Any]:
        """The finalizer is there before the provider is asked for anything, or a machine could be leaked."""
        present = claim["metadata"].get("finalizers") or []
        if labels.KARPENTER_FINALIZER in present:
            return dict(claim)
        patch = {
            "metadata": {
                "finalizers": [*present, labels.KARPENTER_FINALIZER],
                "resourceVersion": claim["metadata"]["resourceVersion"],
            }
        }
        return await self._world.client.patch(NODE_CLAIMS, claim["metadata"]["name"], patch)

    async def _advance(self, claim: dict[str, Any], status: ClaimStatus) -> float | None:
        """Set the conditions; returns seconds until the next look, None: when something changes."""
        if not status.is_true(conditions.LAUNCHED):
            delay = await self._launch(claim, status)
            if not status.is_true(conditions.LAUNCHED):
                return delay
        matching = self._world.nodes_of(str(status.value.get("providerID") or ""))
        node = matching[0] if len(matching) == 1 else None
        if not status.is_true(conditions.REGISTERED):
            node = await self._register(claim, status, matching)
        if node is None:
            return self._world.settings.poll_seconds
        await self._initialize(claim, status, node)
        return None if nodes.is_ready(node) else self._world.settings.unready_seconds

    # ---- launch

    async def _launch(self, claim: dict[str, Any], status: ClaimStatus) -> float | None:
        name = claim["metadata"]["name"]
        waiting = self._backoff.remaining(name)
        if waiting > 0:
            return waiting
        try:
            record = await self._begin(claim)
            if record.state is NodeState.FAILED:
                return await self._retry_failed(claim, status, record)
        except Exception as caught:
            return self._refused(claim, status, wrapped(caught))
        if record.provider_id:
            status.value["providerID"] = record.provider_id
        if record.state is not NodeState.RUNNING:
            status.set_unknown(
                conditions.LAUNCHED,
                PROVISIONING,
                f"{self._world.provider.info.name} is making a {record.instance_type}",
            )
            return self._world.settings.poll_seconds
        self._backoff.forget(name)
        status.set_true(conditions.LAUNCHED)
        return None

    async def _begin(self, claim: Mapping[str, Any]) -> NodeRecord:
        """The claim's machine, begun now or before. A claim whose labels changed meanwhile keeps the machine it has."""
        request = claims.node_request(claim)
        try:
            return await self._world.provider.create(request)
        except InvalidRequest:
            try:
                record = await self._world.provider.get(request.name)
            except NotFound:
                record = None
            if record is None or record.owner is None or record.owner.uid != request.owner.uid:
                raise
            return record

    def _refused(self, claim: Mapping[str, Any], status: ClaimStatus, error: ProviderError) -> float | None:
        """The provider said no: the condition says why; retryable errors back off by their class."""
        name = claim["metadata"]["name"]
        if error.retryable:
            status.set_unknown(conditions.LAUNCHED, error.reason, error.message)
        else:
            status.set_false(conditions.LAUNCHED, error.reason, error.message)
        self._world.events.event(dict(claim), "Warning", error.reason, error.message)
        if isinstance(error, InvalidRequest):
            return None
        return self._backoff.after(name, error)

    async def _retry_failed(self, claim: dict[str, Any], status: ClaimStatus, record: NodeRecord) -> float | None:
        """The machine was begun and failed: say why, remove what is left, try again as its class allows."""
        last = record.last_error
        kind = _BY_REASON.get(last.reason, ProvisionFailed) if last else ProvisionFailed
        error = kind(last.message if last else "the machine failed", code=last.code if last else "")
        made = claims.attempts(claim) + 1
        if isinstance(error, ProvisionFailed) and made >= self._world.settings.provision_attempts:
            status.set_false(conditions.LAUNCHED, error.reason, f"{error.message} ({made} attempts)")
            return None
        try:
            await self._world.provider.delete(record.name)
        except NotFound:
            pass
        except Exception as caught:
            return self._refused(claim, status, wrapped(caught))
        if isinstance(error, ProvisionFailed):
            note = {"metadata": {"annotations": {claims.ATTEMPTS: str(made)}}}
            written = await self._world.client.patch(NODE_CLAIMS, record.name, note)
            claim["metadata"] = written["metadata"]
        status.value.pop("providerID", None)
        return self._refused(claim, status, error)

    # ---- registration and initialization

    async def _register(
        self, claim: Mapping[str, Any], status: ClaimStatus, matching: list[dict[str, Any]]
    ) -> dict[str, Any] | None:
        """The claim's one Node, made its own; None while there is none, or more than one."""
        if not matching:
            status.set_unknown(conditions.REGISTERED, "NodeNotFound", "Node not registered with cluster")
            return None
        if len(matching) > 1:
            status.set_false(conditions.REGISTERED, "MultipleNodesFound", "Invariant violated, matched multiple nodes")
            return None
        node = matching[0]
        status.value["nodeName"] = node["metadata"]["name"]
        patch = nodes.registration_patch(claim, node)
        if patch is not None:
            patch.setdefault("metadata", {})["resourceVersion"] = node["metadata"]["resourceVersion"]
            node = await self._world.client.patch(NODES, node["metadata"]["name"], patch)
        status.set_true(conditions.REGISTERED)
        return node

    async def _initialize(self, claim: Mapping[str, Any], status: ClaimStatus, node: dict[str, Any]) -> None:
        found = node.get("status") or {}
        for part in ("capacity", "allocatable"):
            if found.get(part):
                status.value[part] = dict(found[part])
        if status.is_true(conditions.INITIALIZED):
            return
        unmet = nodes.why_not_initialized(claim, node)
        if unmet is not None:
            status.set_unknown(conditions.INITIALIZED, *unmet)
            return
        if nodes.needs_initialized_label(node):
            await self._world.client.patch(NODES, node["metadata"]["name"], nodes.INITIALIZED_PATCH)
        status.set_true(conditions.INITIALIZED)

    # ---- writing

    async def _write(self, claim: Mapping[str, Any], status: ClaimStatus) -> None:
        """Labels that the provider gave, and the status: at most one write each, none when nothing changed."""
        name, version = claim["metadata"]["name"], claim["metadata"]["resourceVersion"]
        given = self._provider_labels(claim, status)
        if given:
            patch = {"metadata": {"labels": given, "resourceVersion": version}}
            version = (await self._world.client.patch(NODE_CLAIMS, name, patch))["metadata"]["resourceVersion"]
        if status.changed:
            body = {"metadata": {"resourceVersion": version}, "status": _replacing(claim, status.value)}
            await self._world.client.patch(NODE_CLAIMS, name, body, subresource="status")
        for kind, old, new, reason in status.transitions:
            self._world.events.event(
                dict(claim),
                "Normal",
                kind,
                f"Status condition transitioned, Type: {kind}, Status: {old} -> {new}, Reason: {reason}",
            )

    def _provider_labels(self, claim: Mapping[str, Any], status: ClaimStatus) -> dict[str, str]:
        """Labels of the claim's Node that describe the machine; the user's own win."""
        matching = self._world.nodes_of(str(status.value.get("providerID") or ""))
        if len(matching) != 1 or not status.is_true(conditions.LAUNCHED):
            return {}
        present = claim["metadata"].get("labels") or {}
        found = matching[0]["metadata"].get("labels") or {}
        described = (labels.INSTANCE_TYPE, labels.CAPACITY_TYPE, labels.ZONE, labels.REGION, labels.ARCH, labels.OS)
        return {key: found[key] for key in described if key in found and key not in present}

    # ---- giving up

    async def _give_up(self, claim: Mapping[str, Any], status: ClaimStatus) -> bool:
        """Delete a claim whose machine never came, vanished, or is beyond repair; its owner makes a new one."""
        reason = self._timed_out(claim, status) or await self._lost(claim["metadata"]["name"], status)
        if not reason:
            return False
        self._world.events.event(dict(claim), "Warning", "DisruptionTerminating", reason)
        await delete_claim(self._world, claim)
        return True

    def _timed_out(self, claim: Mapping[str, Any], status: ClaimStatus) -> str:
        settings = self._world.settings
        age = (self._world.clock.now() - parse_time(claim["metadata"]["creationTimestamp"])).total_seconds()
        launched, registered = status.is_true(conditions.LAUNCHED), status.is_true(conditions.REGISTERED)
        limit = settings.launch_timeout if not launched else settings.registration_timeout if not registered else None
        if limit is None or age <= limit:
            return ""
        what = "Node did not register" if launched else "machine was not launched"
        return f"the {what} within {limit:.0f} seconds"

    async def _lost(self, name: str, status: ClaimStatus) -> str:
        """Why a registered claim's machine counts as lost, or an empty string."""
        if not status.is_true(conditions.REGISTERED):
            return ""
        matching = self._world.nodes_of(str(status.value.get("providerID") or ""))
        if any(is_deleting(node) for node in matching):
            return "the Node was deleted"
        if matching and all(nodes.is_ready(node) for node in matching):
            return ""
        for node in matching:
            if policy := self._beyond_repair(node):
                return policy
        try:
            await self._world.provider.get(name)
        except NotFound:
            return "the machine has vanished"
        except Exception as caught:
            self._world.log_provider_error(wrapped(caught))
        return ""

    def _beyond_repair(self, node: Mapping[str, Any]) -> str:
        if not self._world.settings.repair:
            return ""
        for policy in self._world.provider.repair_policies():
            for one in (node.get("status") or {}).get("conditions") or ():
                if (one.get("type"), one.get("status")) != (policy.condition_type, policy.condition_status):
                    continue
                since = parse_time(one["lastTransitionTime"])
                held = (self._world.clock.now() - since).total_seconds()
                if held >= policy.toleration_seconds:
                    return f"the Node has been {policy.condition_type}={policy.condition_status} for {held:.0f} seconds"
        return ""


def _replacing(claim: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A merge patch value that turns the stored status into `wanted`: what is no longer wanted becomes null."""
    stored = claim.get("status") or {}
    patch: dict[str, Any] = {key: None for key in stored if key not in wanted}
    for key, value in wanted.items():
        if stored.get(key) == value:
            continue
        patch[key] = value
        if isinstance(value, dict):
            patch[key] = {**{old: None for old in stored.get(key) or {} if old not in value}, **value}
    return patch


async def delete_claim(world: World, claim: Mapping[str, Any]) -> None:
    """Ask for the claim's deletion, once; a claim that is gone or being deleted is fine."""
    if is_deleting(claim):
        return
    try:
        await world.client.delete(NODE_CLAIMS, claim["metadata"]["name"], uid=claim["metadata"]["uid"])
    except ObjectNotFound:
        return
