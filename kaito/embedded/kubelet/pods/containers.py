"""The containers of one pod: which to start now, which to wait for, what became of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from kaito.embedded.kubelet.fields import PodFacts
from kaito.embedded.kubelet.host import Host
from kaito.embedded.kubelet.logfile import last_lines
from kaito.embedded.kubelet.pods.hooks import run_command, run_handler
from kaito.embedded.kubelet.pods.memory import watch_memory
from kaito.embedded.kubelet.pods.records import TERMINATION_LIMIT, ContainerRecord, ContainerRun, Termination
from kaito.embedded.kubelet.pods.starting import TERMINATION_PATH, ContainerStarter, ImageUnavailable, NotStarted
from kaito.embedded.kubelet.pods.stopping import Deadline, stop_run
from kaito.embedded.kubelet.probing.checks import Command, check
from kaito.embedded.kubelet.probing.prober import ProbeChange, Prober
from kaito.embedded.kubelet.processes.leftovers import forget
from kaito.embedded.kubelet.variables import BadConfiguration
from kaito.kube.events import EventType

logger = logging.getLogger(__name__)

ERR_IMAGE_PULL_SHOWN = 5.0
"""Seconds for which ErrImagePull is shown before it becomes ImagePullBackOff."""
START_ERROR_CODE = 128
_CREATED = "Created container: "
_POST_START_FAILED: tuple[tuple[EventType, str, str], ...] = (
    ("Warning", "FailedPostStartHook", "PostStartHook failed"),
    ("Normal", "Killing", "FailedPostStartHook"),
)


class ContainerKeeper:
    """Starts containers in order, restarts them by the pod's policy, and keeps book of how they end.

    ``wake`` is called whenever something happened that another `advance` should look at.
    """

    def __init__(
        self,
        host: Host,
        records: Sequence[ContainerRecord],
        starter: ContainerStarter,
        wake: Callable[[], None],
        facts: Callable[[], PodFacts],
    ) -> None:
        self._host = host
        self._clock = host.clock
        self._records = records
        self._starter = starter
        self._wake = wake
        self._facts = facts
        self.folders: Mapping[str, Path] = {}
        """The volumes of the pod by name, once they are mounted."""
        self.initialized = False
        """Every init container was done once."""
        self.finished = False
        """No main container runs, and none will be started again."""
        self.ending = False
        """The pod is being ended: nothing is started any more."""
        self._tasks: set[asyncio.Task[Any]] = set()

    def take_changes(self, pod: Mapping[str, Any]) -> None:
        """Take over what may be changed in the spec of a running pod; a container with another image is restarted."""
        spec = pod["spec"]
        by_name = {entry["name"]: entry for entry in (*(spec.get("initContainers") or ()), *spec["containers"])}
        for record in self._records:
            new = by_name.get(record.name, record.spec)
            changed = new["image"] != record.spec["image"]
            record.spec = new
            if not changed:
                continue
            record.not_before = 0.0
            self.restart(record, pod, f"Container {record.name} definition changed, will be restarted")

    def restart(self, record: ContainerRecord, pod: Mapping[str, Any], why: str) -> None:
        """End a running container so that it starts anew."""
        if record.running and record.run is not None and record.kind != "init":
            self._host.events.event(pod, "Normal", "Killing", why, field_path=record.event_path)
            record.run.replaced = True
            self._spawn(self._stop(record, record.run, self._grace(pod)))

    async def advance(self, pod: Mapping[str, Any]) -> float | None:
        """Start what should be started; seconds until something may be started that must wait now, or None."""
        policy = pod["spec"].get("restartPolicy") or "Always"
        waits: list[float] = []
        for record in self._records:
            if record.kind == "ephemeral" and not record.started_once:
                # Before init containers: it may have been added to find out why one of them fails.
                await self._start(record, pod, waits)
        if not self.initialized:
            self.initialized = await self._advance_init(pod, policy, waits)
            if not self.initialized:
                return min(waits) if waits else None
        else:
            for record in self._records:
                if record.kind == "sidecar" and not record.running:
                    await self._start(record, pod, waits)
        main = [record for record in self._records if record.kind == "main"]
        over = True
        for record in main:
            if record.running:
                over = False
            elif record.terminated is None or _restarts(policy, record.terminated):
                over = False
                await self._start(record, pod, waits)
        self.finished = over
        return min(waits) if waits else None

    async def _advance_init(self, pod: Mapping[str, Any], policy: str, waits: list[float]) -> bool:
        """Whether init containers are done; starts the next one that is not."""
        for record in self._records:
            if record.kind in ("main", "ephemeral"):
                continue
            if record.kind == "init" and record.terminated is not None and record.terminated.exit_code == 0:
                continue
            if record.running:
                if record.kind == "sidecar" and record.run is not None and record.run.started:
                    continue
                return False
            failed = record.kind == "init" and record.terminated is not None
            if failed and policy == "Never":
                self.finished = True
                return False
            await self._start(record, pod, waits)
            return False
        return True

    async def _start(self, record: ContainerRecord, pod: Mapping[str, Any], waits: list[float]) -> None:
        """Start one container now, or note why not and when again."""
        now = self._clock.monotonic()
        since = _counted_end(record)
        if since is not None and (left := record.crash.remaining(since)) > 0:
            self._announce_crash_backoff(record, pod)
            waits.append(left)
            return
        if record.not_before > now:
            self._show_pull_backoff(record, pod, now)
            waits.append(record.not_before - now)
            if record.waiting and record.waiting[0] == "ErrImagePull":
                waits.append(max(0.0, record.trouble_at + ERR_IMAGE_PULL_SHOWN - now))
            return
        try:
            image = await self._starter.image(record, pod)
        except ImageUnavailable as error:
            record.pull.escalate(now)
            record.trouble_at = now
            record.not_before = now + record.pull.delay
            record.waiting = (error.reason, error.message)
            waits.append(min(ERR_IMAGE_PULL_SHOWN, record.pull.delay))
            return
        again = record.started_once
        number = record.restart_count + 1 if again else 0
        if since is not None:
            record.crash.escalate(since)
        try:
            run = await self._starter.start(record, number, image, self._facts(), self.folders)
        except BadConfiguration as error:
            text = f"Error: {error}"
            self._host.events.event(pod, "Warning", "Failed", text, field_path=record.event_path)
            record.waiting = ("CreateContainerConfigError", str(error))
            record.not_before = now + self._host.settings.retry
            waits.append(self._host.settings.retry)
            return
        except NotStarted as error:
            message = f'failed to start container "{record.name}": {error}'
            self._host.events.event(pod, "Normal", "Created", _CREATED + record.name, field_path=record.event_path)
            self._host.events.event(pod, "Warning", "Failed", f"Error: {message}", field_path=record.event_path)
            moment = self._clock.now()
            ended = Termination(START_ERROR_CODE, "StartError", message, None, moment, "", now)
            record.last, record.terminated = record.terminated, ended
            record.run, record.restart_count = None, number
            again = record.kind != "ephemeral" and _restarts(pod["spec"].get("restartPolicy") or "Always", ended)
            record.waiting = ("RunContainerError", message) if again else None
            self._wake()
            return
        record.last, record.terminated = record.terminated or record.last, None
        record.run, record.waiting, record.restart_count = run, None, number
        for reason, text in (("Created", _CREATED), ("Started", "Started container ")):
            self._host.events.event(pod, "Normal", reason, text + record.name, field_path=record.event_path)
        self._spawn(self._follow(record, run, pod))
        handler = (record.spec.get("lifecycle") or {}).get("postStart")
        if handler:
            self._spawn(self._post_start(record, run, pod, handler), run)
        else:
            self._created(record, run, pod)

    def _announce_crash_backoff(self, record: ContainerRecord, pod: Mapping[str, Any]) -> None:
        ended = record.terminated
        assert ended is not None
        metadata = pod["metadata"]
        where = f"{metadata['name']}_{metadata.get('namespace', '')}({metadata['uid']})"
        text = f"back-off {_duration(record.crash.delay)} restarting failed container={record.name} pod={where}"
        record.waiting = ("CrashLoopBackOff", text)
        if record.announced != ended.finished:
            record.announced = ended.finished
            shown = f"Back-off restarting failed container {record.name} in pod {where}"
            self._host.events.event(pod, "Warning", "BackOff", shown, field_path=record.event_path)

    def _show_pull_backoff(self, record: ContainerRecord, pod: Mapping[str, Any], now: float) -> None:
        if record.waiting is None or record.waiting[0] != "ErrImagePull":
            return
        if now < record.trouble_at + ERR_IMAGE_PULL_SHOWN:
            return
        image = record.spec["image"]
        record.waiting = ("ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {record.waiting[1]}')
        shown = f'Back-off pulling image "{image}"'
        self._host.events.event(pod, "Normal", "BackOff", shown, field_path=record.event_path)
        self._host.events.event(pod, "Warning", "Failed", "Error: ImagePullBackOff", field_path=record.event_path)

    # ---- a run's life

    def _created(self, record: ContainerRecord, run: ContainerRun, pod: Mapping[str, Any]) -> None:
        """The container counts as running from now on."""
        run.created = True
        prober = Prober(
            record.spec,
            lambda probe: check(probe, record.spec, self._facts().pod_ip, self._command_in(run)),
            self._clock,
            lambda change: self._probed(record, run, pod, change),
        )
        run.started = not prober.has_startup
        run.ready = run.started and not prober.has_readiness
        if record.kind != "init":
            self._spawn(prober.run(), run)
        if "memory" in (record.resources.get("limits") or {}):
            self._spawn(watch_memory(self._clock, self._host.settings.memory_period, record, run), run)
        self._wake()

    def _command_in(self, run: ContainerRun) -> Command:
        async def command(words: list[str], timeout: float) -> tuple[int | None, str]:
            return await run_command(self._host.runner, self._clock, run, words, timeout)

        return command

    async def _post_start(
        self, record: ContainerRecord, run: ContainerRun, pod: Mapping[str, Any], handler: Mapping[str, Any]
    ) -> None:
        failure = await self.hook(record, run, handler)
        if run.ended.is_set():
            return
        if failure is None:
            self._created(record, run, pod)
            return
        run.hook_error = failure
        for kind, reason, text in _POST_START_FAILED:
            self._host.events.event(pod, kind, reason, text, field_path=record.event_path)
        await self._stop(record, run, self._grace(pod))

    async def hook(self, record: ContainerRecord, run: ContainerRun, handler: Mapping[str, Any]) -> str | None:
        """Run a lifecycle handler of a container: why it failed, or None."""
        return await run_handler(self._host.runner, self._clock, record, run, handler, self._facts())

    async def pre_stop(self, record: ContainerRecord, run: ContainerRun, handler: Mapping[str, Any]) -> None:
        """Run the hook before a container is ended; a failure, or too little time for it, is an event and no more."""
        failure: str | None = "not done when the grace period was over"
        try:
            failure = await self.hook(record, run, handler)
        finally:
            if failure is not None:
                pod = self._facts().pod
                text = "PreStopHook failed"
                self._host.events.event(pod, "Warning", "FailedPreStopHook", text, field_path=record.event_path)

    def _probed(self, record: ContainerRecord, run: ContainerRun, pod: Mapping[str, Any], change: ProbeChange) -> None:
        if run.ended.is_set() or run.stopping:
            return
        if change.unknown:
            text = f"{change.kind.capitalize()} probe errored and resulted in unknown state: {change.output}"
            self._host.events.event(pod, "Warning", "Unhealthy", text, field_path=record.event_path)
            return
        if change.warning:
            text = f"{change.kind.capitalize()} probe warning: {change.output}"
            self._host.events.event(pod, "Warning", "ProbeWarning", text, field_path=record.event_path)
        if not change.healthy:
            text = f"{change.kind.capitalize()} probe failed: {change.output}"
            self._host.events.event(pod, "Warning", "Unhealthy", text, field_path=record.event_path)
        if not change.threshold:
            return
        if change.kind == "readiness":
            run.ready = change.healthy
        elif change.healthy:
            run.started = True
            run.ready = run.ready or not record.spec.get("readinessProbe")
        else:
            text = f"Init container {record.name} failed {change.kind} probe"
            if record.kind == "main":
                text = f"Container {record.name} failed {change.kind} probe, will be restarted"
            self._host.events.event(pod, "Normal", "Killing", text, field_path=record.event_path)
            probe = record.spec.get(f"{change.kind}Probe") or {}
            grace = probe.get("terminationGracePeriodSeconds")
            run.replaced = True
            self._spawn(self._stop(record, run, self._grace(pod) if grace is None else float(grace)))
        self._wake()

    @staticmethod
    def _grace(pod: Mapping[str, Any]) -> float:
        value = pod["spec"].get("terminationGracePeriodSeconds")
        return 30.0 if value is None else float(value)

    async def _stop(self, record: ContainerRecord, run: ContainerRun, grace: float) -> None:
        await stop_run(record, run, Deadline(self._clock, grace), self.pre_stop)

    async def _follow(self, record: ContainerRecord, run: ContainerRun, pod: Mapping[str, Any]) -> None:
        """Wait for the end of a run and note it."""
        code = await run.process.wait()
        run.log.close()
        reason = run.end_reason or ("Completed" if code == 0 else "Error")
        record.terminated = Termination(
            exit_code=code,
            reason=reason,
            message=self._termination_message(record, run, code),
            started_at=run.started_at,
            finished_at=self._clock.now(),
            container_id=run.container_id,
            finished=self._clock.monotonic(),
        )
        if run.hook_error and _restarts(pod["spec"].get("restartPolicy") or "Always", record.terminated):
            record.waiting = ("PostStartHookError", run.hook_error)
        forget(run.layout.folder)
        run.ready = run.started = False
        run.ended.set()
        for task in run.tasks:
            task.cancel()
        self._wake()

    def _termination_message(self, record: ContainerRecord, run: ContainerRun, code: int) -> str:
        """What the container left in its termination file; when it failed and left nothing, the end of its log.

        Kubernetes looks at the log only with ``FallbackToLogsOnError``; here always, so that ``kubectl describe`` shows
        why a container failed (a named deviation).
        """
        file = run.layout.root / (record.spec.get("terminationMessagePath") or TERMINATION_PATH).lstrip("/")
        try:
            with file.open("rb") as opened:
                text = opened.read(TERMINATION_LIMIT).decode(errors="replace")
        except OSError:
            text = ""
        if text or code == 0:
            return text
        return last_lines(run.layout.log)

    # ---- tasks

    def _spawn(self, work: Coroutine[Any, Any, Any], run: ContainerRun | None = None) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        if run is not None:
            run.tasks.append(task)

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("container task failed", exc_info=error)

    async def close(self) -> None:
        """End probes, hooks and watches; the processes have ended before."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _counted_end(record: ContainerRecord) -> float | None:
    """The end after which the back-off of a container counts; None when it may start at once.

    A container that the kubelet ends to start it anew is judged by its run before: the kubelet plans the new start when
    the old run is there still (SyncPod's doBackOff looks for an exited container).
    """
    ended = record.terminated
    if ended is None:
        return None
    if record.run is not None and record.run.replaced:
        before = record.last.finished if record.last is not None else None
        if before is None or record.crash.remaining(before) <= 0:
            return before
    return ended.finished


def _restarts(policy: str, ended: Termination) -> bool:
    return policy == "Always" or (policy == "OnFailure" and ended.exit_code != 0)


def _duration(seconds: float) -> str:
    """As Go prints it: ``10s``, ``1m20s``."""
    whole = int(seconds)
    if seconds != whole:
        return f"{seconds:g}s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
