"""One pod: from its binding to the node to the end of its last process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from kaito.embedded.addresses import HOST_ADDRESS
from kaito.embedded.kubelet.fields import PodFacts
from kaito.embedded.kubelet.host import Host
from kaito.embedded.kubelet.ipam import NoAddressLeft
from kaito.embedded.kubelet.pods.admission import not_carried_out, rejection
from kaito.embedded.kubelet.pods.backoff import Backoff
from kaito.embedded.kubelet.pods.containers import ContainerKeeper
from kaito.embedded.kubelet.pods.limits import exceeded
from kaito.embedded.kubelet.pods.records import ContainerRecord, Kind
from kaito.embedded.kubelet.pods.recovery import restore
from kaito.embedded.kubelet.pods.reporting import StatusReporter
from kaito.embedded.kubelet.pods.resizing import completed, must_restart, refusal, wanted_resources
from kaito.embedded.kubelet.pods.starting import ContainerStarter
from kaito.embedded.kubelet.pods.status import PodState
from kaito.embedded.kubelet.pods.stopping import Deadline, first, stop_pod
from kaito.embedded.kubelet.volumes.sources import MountFailed, PodVolumes
from kaito.kube.errors import ApiError, Conflict, NotFound
from kaito.kube.objects import parse_time
from kaito.kube.resources import CONFIG_MAPS, NODES, PODS, SECRETS

logger = logging.getLogger(__name__)

TERMINAL = ("Succeeded", "Failed")
DEFAULT_GRACE = 30.0
COMPLAINT_PAUSE, COMPLAINT_PAUSE_MAX = 0.5, 122.0
"""Seconds between two events about the same trouble with volumes, at first and at most (the kubelet's retries)."""


class PodWorker:
    """Keeps one pod as its spec says: looks at everything, does what is missing, waits for the next change.

    ``run`` returns when the pod is gone from the API and nothing of it is left on the machine.
    """

    def __init__(self, host: Host, pod: dict[str, Any], *, recovered: bool = False) -> None:
        self.pod = pod
        self.uid: str = pod["metadata"]["uid"]
        self.name: str = pod["metadata"]["name"]
        self.namespace: str = pod["metadata"].get("namespace", "")
        self.node: str = pod["spec"]["nodeName"]
        self._host = host
        self._clock = host.clock
        self.layout = host.layout.pod(self.uid)
        self._volumes = PodVolumes(host.client, host.clock, self.layout, self._lookup)
        self.records = _records(host, pod)
        self._keeper = ContainerKeeper(
            host, self.records, ContainerStarter(host, self.layout, self._lookup), self._wake_up, self._facts
        )
        self._state = PodState(start_time=host.clock.now())
        self._wake = asyncio.Event()
        self._reporter = StatusReporter(host.client, host.clock)
        self._gone = False
        self._orphaned = False
        self._lost = False
        self._deadline: Deadline | None = None
        self._refresh_due = False
        self._cleaned = False
        self._next_refresh = 0.0
        self._next_look = 0.0
        self._complaint = ""
        self._complaint_pause = self._complain_again = 0.0
        self._not_carried_out: list[str] = []
        self.admitted = recovered
        """Whether the pod uses the node's resources: it was let in, and is not over yet."""
        if recovered:
            restore(self.records, pod, now=host.clock.now(), monotonic=host.clock.monotonic())
        status = pod.get("status") or {}
        address = status.get("podIP")
        phase, known = status.get("phase"), status.get("containerStatuses")
        if phase in TERMINAL and not known:
            reason, message = status.get("reason") or "", status.get("message") or ""
            self._state = replace(self._state, rejected=True, reason=reason, message=message)
        if address and phase not in TERMINAL and self._reserve(address):
            self._state = replace(self._state, pod_ip=address)

    # ---- what the manager calls

    def update(self, pod: dict[str, Any]) -> None:
        """The pod changed in the API."""
        self.pod = pod
        if self._deadline is not None and pod["metadata"].get("deletionTimestamp"):
            self._deadline.shorten(self._grace())
        self._wake_up()

    def gone(self) -> None:
        """The pod is no longer in the API: end it at once."""
        self._gone = True
        if self._deadline is not None:
            self._deadline.shorten(0)
        self._wake_up()

    def lose(self) -> None:
        """The pod's machine died: end its processes and say nothing more about it."""
        self._lost = True
        self._wake_up()

    def find(self) -> None:
        """The machine is back: go on as after a crash."""
        self._lost = False
        self._wake_up()

    def orphan(self) -> None:
        """The pod's node is gone from the API: end the pod and delete it."""
        self._lost, self._orphaned = False, True
        self._wake_up()

    def refresh_volumes(self) -> None:
        """Something that a volume shows has changed."""
        self._refresh_due = True
        self._wake_up()

    def mentions(self, kind: str, name: str) -> bool:
        """Whether a volume shows the ConfigMap (``configMap``) or Secret (``secret``) of that name."""
        for volume in self.pod["spec"].get("volumes") or ():
            parts = [volume, *((volume.get("projected") or {}).get("sources") or ())]
            for part in parts:
                source = part.get(kind) or {}
                if name in (source.get("name"), source.get("secretName")):
                    return True
        return False

    @property
    def pod_ip(self) -> str:
        """The pod's API address; empty while it has none."""
        return self._state.pod_ip

    def record(self, container: str) -> ContainerRecord | None:
        """A container by name."""
        return next((record for record in self.records if record.name == container), None)

    async def kill(self, grace: float) -> None:
        """End its processes without a word to the API: the kubelet itself ends."""
        await stop_pod(self.records, Deadline(self._clock, grace), self._keeper.pre_stop)
        await self._keeper.close()

    async def run(self) -> None:
        """Work until the pod is gone."""
        while True:
            self._wake.clear()
            try:
                delay, done = await self._sync()
            except (NotFound, Conflict) as error:
                # Gone or replaced by another of its name; the informer will tell.
                logger.debug("pod %s/%s: %s", self.namespace, self.name, error.message)
                delay, done = self._host.settings.retry, False
            except ApiError as error:
                logger.info("pod %s/%s: %s", self.namespace, self.name, error.message)
                delay, done = self._host.settings.retry, False
            if done:
                return
            if delay is None:
                await self._wake.wait()
            elif not self._wake.is_set():
                await first(self._wake.wait(), self._clock.sleep(delay))

    # ---- one look

    def _wake_up(self) -> None:
        self._wake.set()

    async def _sync(self) -> tuple[float | None, bool]:
        """Do what is missing: (seconds until the next look or None, whether the pod is gone)."""
        if self._gone:
            await self._end(0.0)
            await self._clean()
            self.layout.remove()
            return None, True
        if self._lost:
            await self.kill(0.0)
            self.admitted = False
            return None, False
        if self.pod["metadata"].get("deletionTimestamp") or self._orphaned:
            return await self._delete(), False
        if self._state.terminal or self._phase() in TERMINAL:
            await self._end(self._spec_grace())
            await self._clean()
            await self._report()
            return None, False
        if (overdue := self._overdue()) is not None:
            self._host.events.event(self.pod, "Normal", "DeadlineExceeded", overdue)
            await self._fail("DeadlineExceeded", overdue)
            return 0.0, False
        if not self.admitted and (rejected := await self._rejection()) is not None:
            reason, message = rejected
            self._host.events.event(self.pod, "Warning", reason, message)
            self._state = replace(self._state, rejected=True)
            await self._fail(reason, f"Pod was rejected: {message}")
            return 0.0, False
        self._warn()
        if not any(record.run and record.run.replaced and record.run.ended.is_set() for record in self.records):
            # Before acting, as the kubelet does: who watches sees each end that the kubelet did not bring about itself.
            await self._report()
        if not await self._prepare():
            await self._report()
            return self._host.settings.retry, False
        if (evicted := self._limit_exceeded()) is not None:
            self._host.events.event(self.pod, "Warning", "Evicted", evicted)
            await self._fail("Evicted", evicted)
            return 0.0, False
        self._take_in_ephemeral()
        self._resize()
        self._keeper.take_changes(self.pod)
        delay = await self._keeper.advance(self.pod)
        if self._keeper.initialized and not self._state.initialized:
            self._state = replace(self._state, initialized=True)
        if self._keeper.finished:
            await self._end(self._spec_grace())
            self._state = replace(self._state, terminal=True)
            await self._clean()
            await self._report()
            return None, False
        await self._report()
        return self._soonest(delay), False

    def _phase(self) -> str:
        return self._state.phase or str((self.pod.get("status") or {}).get("phase") or "")

    def _soonest(self, delay: float | None) -> float | None:
        now = self._clock.monotonic()
        waits = [delay] if delay is not None else []
        if self._next_refresh:
            waits.append(self._next_refresh - now)
        if self._next_look:
            waits.append(self._next_look - now)
        if (left := self._seconds_left()) is not None:
            waits.append(left)
        return max(0.0, min(waits)) if waits else None

    def _seconds_left(self) -> float | None:
        limit = self.pod["spec"].get("activeDeadlineSeconds")
        if limit is None:
            return None
        started = (self.pod.get("status") or {}).get("startTime")
        begin = parse_time(started) if started else self._state.start_time or self._clock.now()
        return (begin + timedelta(seconds=limit) - self._clock.now()).total_seconds()

    def _overdue(self) -> str | None:
        left = self._seconds_left()
        if left is None or left > 0:
            return None
        return "Pod was active on the node longer than the specified deadline"

    async def _rejection(self) -> tuple[str, str] | None:
        """Why the node cannot take the pod; what we know of the node may be late, so a refusal asks the API first."""
        others = self._host.neighbours(self.node, self.uid)
        known = self._host.node(self.node)
        if rejection(self.pod, others, self._host.allocatable(self.node), known) is None:
            self.admitted = True
            return None
        node = await self._host.client.get(NODES, self.node)
        refused = rejection(self.pod, others, (node.get("status") or {}).get("allocatable") or {}, node)
        self.admitted = refused is None
        return refused

    def _resize(self) -> None:
        """Give containers the resources that the spec asks for now, if the node has them."""
        wanted = wanted_resources(self.records, self.pod)
        refused = None
        if wanted:
            others = self._host.neighbours(self.node, self.uid)
            refused = refusal(self.pod, others, self._host.allocatable(self.node))
        if refused != self._state.resize_pending:
            self._state = replace(self._state, resize_pending=refused)
        if not wanted or refused:
            return
        for record in self.records:
            if record.name in wanted:
                before, record.resources = record.resources, wanted[record.name]
                if must_restart(record.spec, before, record.resources):
                    self._keeper.restart(record, self.pod, f"Container {record.name} resize requires restart")
        self._host.events.event(self.pod, "Normal", "ResizeCompleted", completed(self.pod))

    def _take_in_ephemeral(self) -> None:
        """Know the ephemeral containers that were added since (``kubectl debug``)."""
        known = {record.name for record in self.records}
        for container in self.pod["spec"].get("ephemeralContainers") or ():
            if container["name"] not in known:
                self.records.append(_record(self._host, container, "ephemeral"))

    def _warn(self) -> None:
        """An event about what of the spec is not carried out, once."""
        fields = not_carried_out(self.pod)
        if fields and fields != self._not_carried_out:
            text = f"the process kubelet does not carry out: {', '.join(fields)}"
            self._host.events.event(self.pod, "Warning", "NotCarriedOut", text)
        self._not_carried_out = fields

    async def _fail(self, reason: str, message: str) -> None:
        await self._end(self._spec_grace())
        self._state = replace(self._state, phase="Failed", reason=reason, message=message, terminal=True)
        await self._report()

    async def _delete(self) -> float | None:
        """End the pod's processes, report it, and take it out of the API."""
        already_terminal = self._phase() in TERMINAL
        await self._end(self._grace() if not self._orphaned else min(self._grace(), DEFAULT_GRACE))
        if not self._gone:
            if not already_terminal:
                self._state = replace(self._state, terminal=True)
                await self._report()
            await self._host.client.delete(PODS, self.name, self.namespace, uid=self.uid, grace_seconds=0)
        await self._clean()
        # Finalizers may hold the object; the informer says when it is really gone.
        return None

    def _spec_grace(self) -> float:
        value = self.pod["spec"].get("terminationGracePeriodSeconds")
        return DEFAULT_GRACE if value is None else float(value)

    def _grace(self) -> float:
        value = self.pod["metadata"].get("deletionGracePeriodSeconds")
        return self._spec_grace() if value is None else float(value)

    async def _end(self, grace: float) -> None:
        """End every container; the deadline can be shortened meanwhile."""
        self._keeper.ending = True
        for record in self.records:
            if record.running:
                text = f"Stopping container {record.name}"
                self._host.events.event(self.pod, "Normal", "Killing", text, field_path=record.event_path)
        self._deadline = Deadline(self._clock, grace)
        await stop_pod(self.records, self._deadline, self._keeper.pre_stop)
        self.admitted = False

    async def _clean(self) -> None:
        """Give back what only a live pod needs; logs stay until the pod is gone."""
        if self._cleaned:
            return
        self._cleaned = True
        await self._keeper.close()
        if self._state.pod_ip:
            self._host.pool.release(self._state.pod_ip, self.uid)
        self.layout.remove_volumes()

    # ---- what containers need

    def _reserve(self, address: str) -> bool:
        return address == HOST_ADDRESS or self._host.pool.reserve(self.node, address, self.uid)

    async def _lookup(self, kind: str, name: str) -> Mapping[str, Any]:
        return await self._host.client.get(CONFIG_MAPS if kind == "configmap" else SECRETS, name, self.namespace)

    def _facts(self) -> PodFacts:
        return PodFacts(self.pod, self._state.pod_ip, self._host.allocatable(self.node))

    async def _prepare(self) -> bool:
        """Address and volumes; False when something is missing still."""
        if not self._state.pod_ip:
            try:
                address = (
                    HOST_ADDRESS
                    if self.pod["spec"].get("hostNetwork")
                    else self._host.pool.allocate(self.node, self.uid)
                )
            except NoAddressLeft as error:
                self._complain("FailedCreatePodSandBox", str(error))
                return False
            self._state = replace(self._state, pod_ip=address)
        now = self._clock.monotonic()
        try:
            if not self._state.sandbox_ready:
                await self._volumes.mount(self._facts())
                self._state = replace(self._state, sandbox_ready=True)
                self._keeper.folders = self._volumes.folders
            elif self._refresh_due or (self._next_refresh and now >= self._next_refresh):
                self._refresh_due = False
                await self._volumes.refresh(self._facts())
        except MountFailed as error:
            self._complain("FailedMount", str(error))
            if not self._state.sandbox_ready:
                return False
        settings = self._host.settings
        if self._volumes.projected and now >= self._next_refresh:
            self._next_refresh = now + settings.volume_period
        return True

    def _complain(self, reason: str, message: str) -> None:
        """An event at once for each new message, then again after pauses that double."""
        now = self._clock.monotonic()
        if message != self._complaint:
            self._complaint, self._complaint_pause = message, COMPLAINT_PAUSE
        elif now < self._complain_again:
            return
        else:
            self._complaint_pause = min(2 * self._complaint_pause, COMPLAINT_PAUSE_MAX)
        self._complain_again = now + self._complaint_pause
        self._host.events.event(self.pod, "Warning", reason, message)

    def _limit_exceeded(self) -> str | None:
        now = self._clock.monotonic()
        if now < self._next_look:
            return None
        folders: dict[str, Path] = self._volumes.folders
        looked, message = exceeded(self.pod, folders, self.records)
        self._next_look = now + self._host.settings.eviction_period if looked else 0.0
        return message

    async def _report(self) -> None:
        await self._reporter.report(self.pod, self.records, self._state)


def _records(host: Host, pod: Mapping[str, Any]) -> list[ContainerRecord]:
    records: list[ContainerRecord] = []
    spec = pod["spec"]
    for container in spec.get("initContainers") or ():
        kind: Kind = "sidecar" if container.get("restartPolicy") == "Always" else "init"
        records.append(_record(host, container, kind))
    records.extend(_record(host, container, "main") for container in spec["containers"])
    records.extend(_record(host, container, "ephemeral") for container in spec.get("ephemeralContainers") or ())
    return records


def _record(host: Host, container: Mapping[str, Any], kind: Kind) -> ContainerRecord:
    settings = host.settings
    return ContainerRecord(
        spec=container,
        kind=kind,
        resources=container.get("resources") or {},
        crash=Backoff(host.clock, settings.crash_backoff, settings.crash_backoff_max),
        pull=Backoff(host.clock, settings.pull_backoff, settings.crash_backoff_max),
    )
