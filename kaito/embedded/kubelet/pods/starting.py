"""Starting a container: image, environment, tree and process."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kaito.embedded.kubelet.fields import PodFacts
from kaito.embedded.kubelet.host import Host
from kaito.embedded.kubelet.images import Image, ImageReference, InvalidImageName
from kaito.embedded.kubelet.layout import ContainerLayout, PathEscapes, PodLayout, confined, remove_tree
from kaito.embedded.kubelet.logfile import ContainerLog
from kaito.embedded.kubelet.pods.records import ContainerRecord, ContainerRun
from kaito.embedded.kubelet.processes.leftovers import ProcessRecord
from kaito.embedded.kubelet.processes.runner import ProcessSpec, StartFailed, StreamName
from kaito.embedded.kubelet.variables import (
    BadConfiguration,
    Lookup,
    container_variables,
    content,
    expand,
    service_variables,
)
from kaito.embedded.kubelet.volumes.mounting import ContainerTree, build_tree
from kaito.kube.errors import ApiError
from kaito.kube.resources import SERVICES

TERMINATION_PATH = "/dev/termination-log"
NO_PROXY = "localhost,127.0.0.1,127.244.0.0/16,10.244.0.0/16"


class ImageUnavailable(Exception):
    """An image that cannot be had: waiting reason and message."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class NotStarted(StartFailed):
    """The process could not be started although everything before went well."""


class ContainerStarter:
    """Starts the containers of one pod."""

    def __init__(self, host: Host, layout: PodLayout, lookup: Lookup) -> None:
        self._host = host
        self._layout = layout
        self._lookup = lookup

    async def image(self, record: ContainerRecord, pod: Mapping[str, Any]) -> Image:
        """The program that stands for a container's image. Raises `ImageUnavailable`; reports what it did by events."""
        reference = record.spec["image"]
        policy = record.spec.get("imagePullPolicy") or "IfNotPresent"
        events, table = self._host.events, self._host.images
        try:
            image = table.find(reference)
        except InvalidImageName as error:
            events.event(pod, "Warning", "InspectFailed", str(error), field_path=record.event_path)
            events.event(pod, "Warning", "Failed", "Error: InvalidImageName", field_path=record.event_path)
            raise ImageUnavailable("InvalidImageName", str(error)) from error
        refused = None
        if self._host.pull_check is not None and policy != "Never":
            refused = await self._host.pull_check(reference, await self._pull_configs(pod))
        if image is not None and refused is None:
            missing = table.missing_program(image, self._system_path)
            if missing is None:
                record.image_id = f"process://{ImageReference.parse(reference)}"
                present = f'Container image "{reference}" already present on machine'
                events.event(pod, "Normal", "Pulled", present, field_path=record.event_path)
                return image
            problem = (
                f'image "{reference}" stands for the program {missing}, which this machine does not have; install it, '
                f"or add another entry for the image to {table.files[0]}"
            )
        else:
            problem = refused or table.advice(reference)
        if policy == "Never":
            message = f'Container image "{reference}" is not present with pull policy of Never: {problem}'
            events.event(pod, "Warning", "ErrImageNeverPull", message, field_path=record.event_path)
            events.event(pod, "Warning", "Failed", "Error: ErrImageNeverPull", field_path=record.event_path)
            raise ImageUnavailable("ErrImageNeverPull", message)
        events.event(pod, "Normal", "Pulling", f'Pulling image "{reference}"', field_path=record.event_path)
        text = f'Failed to pull image "{reference}": {problem}'
        events.event(pod, "Warning", "Failed", text, field_path=record.event_path)
        events.event(pod, "Warning", "Failed", "Error: ErrImagePull", field_path=record.event_path)
        raise ImageUnavailable("ErrImagePull", problem)

    async def _pull_configs(self, pod: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The docker configs of the pod's pull secrets; what is not there or not readable is left out, as Kubernetes
        does."""
        configs: list[dict[str, Any]] = []
        for reference in pod["spec"].get("imagePullSecrets") or ():
            try:
                values = content("secret", await self._lookup("secret", reference["name"]))
                if raw := values.get(".dockerconfigjson"):
                    configs.append(dict(json.loads(raw)))
                elif raw := values.get(".dockercfg"):
                    configs.append({"auths": json.loads(raw)})
            except (ApiError, BadConfiguration, KeyError, ValueError, TypeError):
                continue
        return configs

    async def start(
        self, record: ContainerRecord, number: int, image: Image, facts: PodFacts, folders: Mapping[str, Path]
    ) -> ContainerRun:
        """Start run ``number`` of a container.

        Raises `BadConfiguration` (``CreateContainerConfigError``) or `NotStarted` (``StartError``).
        """
        spec = record.spec
        layout = self._layout.container(record.name, number)
        remove_tree(layout.folder)
        self._layout.forget_runs_before(record.name, number - 1)
        container_id = uuid.uuid4().hex
        termination = spec.get("terminationMessagePath") or TERMINATION_PATH
        base = {
            **self._base_variables(image, facts, layout),
            "KAITO_CONTAINER_ID": container_id,
            "KAITO_TERMINATION_LOG": str(layout.root / termination.lstrip("/")),
        }
        services = await self._services(facts.pod)
        variables = await container_variables(spec, facts, self._lookup, services=services, base=base)
        try:
            tree = build_tree(layout.root, spec, folders, variables, files=(termination,))
            cwd = self._working_directory(spec, tree)
        except (OSError, PathEscapes) as error:
            raise BadConfiguration(f"container {record.name}: {error}") from error
        argv = image.argv(
            [expand(word, variables) for word in spec.get("command") or ()],
            [expand(word, variables) for word in spec.get("args") or ()],
        )
        rewritten = image.paths == "rewritten"
        if rewritten:
            argv = [tree.rewrite(word) for word in argv]
            variables = {name: value if name in base else tree.rewrite(value) for name, value in variables.items()}
        marker = f"KAITO_CONTAINER_ID={container_id}"
        process_spec = ProcessSpec(
            argv=tuple(argv),
            env=variables,
            cwd=cwd,
            stdin=bool(spec.get("stdin")),
            tty=bool(spec.get("tty")),
            marker=marker,
        )
        log = ContainerLog(layout.log, self._host.clock)
        listeners: list[Any] = []

        def sink(stream: StreamName, data: bytes) -> None:
            log.write(stream, data)
            for listener in tuple(listeners):
                listener(stream, data)

        try:
            process = await self._host.runner.start(process_spec, sink)
        except StartFailed as error:
            log.close()
            raise NotStarted(str(error)) from error
        process_record = ProcessRecord.of(process.pid, marker)
        if process_record is not None:
            process_record.write(layout.folder)
        return ContainerRun(
            number=number,
            container_id=f"process://{container_id}",
            layout=layout,
            log=log,
            tree=tree,
            process=process,
            environment=variables,
            cwd=cwd,
            rewritten=rewritten,
            started_at=self._host.clock.now(),
            listeners=listeners,
        )

    @property
    def _system_path(self) -> str:
        return self._host.environment.get("PATH") or self._host.settings.system_path

    def _base_variables(self, image: Image, facts: PodFacts, layout: ContainerLayout) -> dict[str, str]:
        settings, pod, root = self._host.settings, facts.pod, layout.root
        path = image.search_path(self._system_path)
        if image.programs:
            _write_programs(layout.programs, image.programs)
            path = f"{layout.programs}:{path}"
        base = {
            **self._host.environment,
            "PATH": path,
            "KAITO_POD_IP": facts.field("status.podIP"),
            "HOME": str(root / "root"),
            "TMPDIR": str(root / "tmp"),
            "HOSTNAME": (pod["spec"].get("hostname") or pod["metadata"]["name"])[:63],
        }
        if settings.http_proxy:
            base |= {"http_proxy": settings.http_proxy, "no_proxy": NO_PROXY, "NO_PROXY": NO_PROXY}
        if settings.kubernetes_service:
            host, port = settings.kubernetes_service
            base |= {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port)}
        base |= image.env
        base["KAITO_CONTAINER_ROOT"] = str(root)
        return base

    async def _services(self, pod: Mapping[str, Any]) -> dict[str, str]:
        if pod["spec"].get("enableServiceLinks") is False:
            return {}
        try:
            found = await self._host.client.list(SERVICES, pod["metadata"].get("namespace"))
        except ApiError as error:
            raise BadConfiguration(f"services cannot be listed: {error.message}") from error
        return service_variables(service for service in found.items if service["metadata"]["name"] != "kubernetes")

    @staticmethod
    def _working_directory(spec: Mapping[str, Any], tree: ContainerTree) -> Path:
        wanted = spec.get("workingDir")
        if not wanted:
            return tree.root
        folder = confined(tree.root, wanted)
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _write_programs(folder: Path, programs: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, script in programs.items():
        file = folder / name
        file.write_text(f"#!/bin/sh\n{script}")
        file.chmod(0o755)


def exec_spec(run: ContainerRun, command: list[str], *, stdin: bool, tty: bool) -> ProcessSpec:
    """What to run for a command inside a running container.

    Absolute paths that name something of the container are replaced by where it is. ``tar`` runs in the container's
    root folder and gets relative paths, so that the names in its archive are those of the container (``kubectl cp``).
    """
    argv = [run.tree.rewrite(command[0]) if run.rewritten else command[0]]
    cwd = run.cwd
    is_tar = Path(command[0]).name == "tar"
    for word in command[1:]:
        located = run.tree.locate(word) if word.startswith("/") and "\0" not in word and "\n" not in word else None
        if located is None:
            argv.append(run.tree.rewrite(word) if run.rewritten or " " in word else word)
        elif is_tar:
            cwd = run.tree.root
            relative = str(located.relative_to(run.tree.root)) or "."
            argv.append(f"{relative}/." if _is_mount(located) else relative)
        else:
            argv.append(f"{located}/" if _is_mount(located) else str(located))
    # No marker of its own: it carries the container's, and ends with the container.
    return ProcessSpec(argv=tuple(argv), env=run.environment, cwd=cwd, stdin=stdin, tty=tty)


def _is_mount(path: Path) -> bool:
    """A mount is a symlink here: programs must be told to look behind it."""
    return path.is_symlink() and path.is_dir()
