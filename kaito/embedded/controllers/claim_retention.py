"""What becomes of a StatefulSet's claims: persistentVolumeClaimRetentionPolicy, kept by owner references."""

from __future__ import annotations

from typing import Any

from kaito.embedded.controllers.caching import Cache, Object
from kaito.embedded.controllers.statefulset_pods import claims_of
from kaito.kube.objects import key_of, owner_reference


class ClaimRetention:
    """Puts the owner references on claims that make the garbage collector delete or keep them."""

    def __init__(self, claims: Cache) -> None:
        self._claims = claims

    async def apply(self, owner: Object, pods: dict[int, Object], wanted: range) -> None:
        """Bring the references of every pod's claims in line with the policy.

        `whenDeleted: Delete` ties claims to the StatefulSet, `whenScaled: Delete` those of condemned pods to the pod.
        With Retain (the default) references to either are taken off again.
        """
        policy = owner["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
        for ordinal in {*wanted, *pods}:
            pod = pods.get(ordinal)
            for named in claims_of(owner, ordinal):
                claim = self._claims.get(key_of(named))
                if claim is None or claim["metadata"].get("deletionTimestamp"):
                    continue
                before = claim["metadata"].get("ownerReferences") or []
                after = _references(before, owner, pod, policy, condemned=ordinal not in wanted)
                if after != before:
                    patch = {"ownerReferences": after, "resourceVersion": claim["metadata"]["resourceVersion"]}
                    await self._claims.patch(claim, {"metadata": patch})


def _references(
    before: list[dict[str, Any]], owner: Object, pod: Object | None, policy: dict[str, Any], *, condemned: bool
) -> list[dict[str, Any]]:
    uids = {owner["metadata"]["uid"]} | ({pod["metadata"]["uid"]} if pod else set())
    kept = [each for each in before if each["uid"] not in uids]
    if policy.get("whenScaled") == "Delete" and condemned:
        if pod is not None:
            kept.append(owner_reference(pod))
    elif policy.get("whenDeleted") == "Delete":
        kept.append(owner_reference(owner))
    return kept
