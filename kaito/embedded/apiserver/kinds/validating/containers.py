"""Containers: images, ports, environment, mounts, probes, lifecycle and security context."""

from __future__ import annotations

import re
from typing import Any, Final

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.causes import (
    duplicate,
    forbidden,
    invalid,
    invalid_each,
    not_found,
    not_supported,
    required,
)
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.kinds.validating.resources import check_requirements
from kaito.embedded.apiserver.kinds.validating.selectors import not_negative

Json = dict[str, Any]
PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
ENV_FIELDS: Final = frozenset(
    [
        "metadata.annotations",
        "metadata.labels",
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    ]
)
SUBSCRIPTED: Final = re.compile(r"metadata\.(labels|annotations)\['[^']*'\]")
RESOURCE_FIELDS: Final = (
    "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage",
    "requests.memory",
)  # fmt: skip
HANDLERS: Final = ("exec", "httpGet", "tcpSocket", "grpc")
UNIX_ID: Final = "must be between 0 and 2147483647, inclusive"


def check_containers(
    containers: list[Json], path: str, volumes: set[str], *, grace: int, host_network: bool = False
) -> list[Cause]:
    causes: list[Cause] = []
    if not containers:
        return [required(path)]
    seen: set[str] = set()
    for index, container in enumerate(containers):
        here = f"{path}[{index}]"
        causes += check_container(container, here, volumes, host_network=host_network)
        name = container.get("name", "")
        if name in seen:
            causes.append(duplicate(f"{here}.name", name))
        seen.add(name)
        causes += check_lifecycle(container.get("lifecycle"), f"{here}.lifecycle", grace)
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            causes += _check_named_probe(container.get(probe), probe, here, grace)
        if (policy := container.get("restartPolicy")) is not None and policy not in ("Always", "OnFailure", "Never"):
            causes.append(not_supported(f"{here}.restartPolicy", policy, ("Always", "OnFailure", "Never")))
    return causes + _check_host_ports(containers, path)


def check_init_containers(
    containers: list[Json], main: list[Json], path: str, volumes: set[str], *, grace: int, host_network: bool = False
) -> list[Cause]:
    causes: list[Cause] = []
    seen = {container.get("name", "") for container in main}
    for index, container in enumerate(containers):
        here = f"{path}[{index}]"
        causes += check_container(container, here, volumes, host_network=host_network)
        name = container.get("name", "")
        if name and name in seen:
            causes.append(duplicate(f"{here}.name", name))
        seen.add(name)
        sidecar = container.get("restartPolicy") == "Always"
        for field in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
            if container.get(field) is None:
                continue
            if not sidecar:
                detail = "may not be set for init containers without restartPolicy=Always"
                causes.append(forbidden(f"{here}.{field}", detail))
            elif field == "lifecycle":
                causes += check_lifecycle(container[field], f"{here}.{field}", grace)
            else:
                causes += _check_named_probe(container[field], field, here, grace)
    return causes + _check_host_ports(containers, path)


def check_container(container: Json, path: str, volumes: set[str], *, host_network: bool = False) -> list[Cause]:
    causes: list[Cause] = []
    name, image = container.get("name", ""), container.get("image", "")
    causes += [required(f"{path}.name")] if not name else invalid_each(f"{path}.name", name, names.label(name))
    if not image:
        causes.append(required(f"{path}.image"))
    elif image != image.strip():
        causes.append(invalid(f"{path}.image", image, "must not have leading or trailing whitespace"))
    policy = container.get("terminationMessagePolicy", "")
    if policy not in ("File", "FallbackToLogsOnError"):
        field = f"{path}.terminationMessagePolicy"
        messages = ("File", "FallbackToLogsOnError")
        causes.append(not_supported(field, policy, messages) if policy else required(field))
    causes += check_ports(container.get("ports") or [], f"{path}.ports", host_network=host_network)
    causes += check_env(container.get("env") or [], f"{path}.env")
    causes += check_env_from(container.get("envFrom") or [], f"{path}.envFrom")
    causes += check_mounts(container.get("volumeMounts") or [], f"{path}.volumeMounts", volumes)
    pull = container.get("imagePullPolicy", "")
    if pull not in ("Always", "IfNotPresent", "Never"):
        field = f"{path}.imagePullPolicy"
        options = ("Always", "IfNotPresent", "Never")
        causes.append(not_supported(field, pull, options) if pull else required(field))
    causes += check_requirements(container.get("resources") or {}, f"{path}.resources")
    return causes + check_security(container.get("securityContext"), f"{path}.securityContext")


def check_ports(ports: list[Json], path: str, *, host_network: bool) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        here = f"{path}[{index}]"
        if name := port.get("name"):
            complaints = names.port_name(name)
            if complaints:
                causes += invalid_each(f"{here}.name", name, complaints)
            elif name in seen:
                causes.append(duplicate(f"{here}.name", name))
            seen.add(name)
        number, host = port.get("containerPort", 0), port.get("hostPort", 0)
        if not number:
            causes.append(required(f"{here}.containerPort"))
        else:
            causes += invalid_each(f"{here}.containerPort", number, names.port_number(number))
        if host:
            causes += invalid_each(f"{here}.hostPort", host, names.port_number(host))
        if host_network and host and host != number:
            causes.append(invalid(f"{here}.hostPort", host, "must match `containerPort` when `hostNetwork` is true"))
        causes += check_protocol(port.get("protocol", ""), f"{here}.protocol")
    return causes


def check_protocol(protocol: str, path: str) -> list[Cause]:
    if not protocol:
        return [required(path)]
    return [] if protocol in PROTOCOLS else [not_supported(path, protocol, PROTOCOLS)]


def _check_host_ports(containers: list[Json], path: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, container in enumerate(containers):
        for at, port in enumerate(container.get("ports") or ()):
            if not port.get("hostPort"):
                continue
            text = f"{port.get('protocol', '')}/{port.get('hostIP', '')}/{port['hostPort']}"
            if text in seen:
                causes.append(duplicate(f"{path}[{index}].ports[{at}].hostPort", text))
            seen.add(text)
    return causes


def check_env(variables: list[Json], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, variable in enumerate(variables):
        here = f"{path}[{index}]"
        name = variable.get("name", "")
        causes += (
            [required(f"{here}.name")] if not name else invalid_each(f"{here}.name", name, names.environment_name(name))
        )
        if (source := variable.get("valueFrom")) is not None:
            causes += _check_env_source(source, bool(variable.get("value")), f"{here}.valueFrom")
    return causes


def _check_env_source(source: Json, has_value: bool, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if (field := source.get("fieldRef")) is not None:
        causes += check_field_ref(field, f"{path}.fieldRef", ENV_FIELDS)
    if (resource := source.get("resourceFieldRef")) is not None:
        causes += check_resource_field(resource, f"{path}.resourceFieldRef", in_volume=False)
    for kind in ("configMapKeyRef", "secretKeyRef"):
        if (reference := source.get(kind)) is None:
            continue
        name, key = reference.get("name", ""), reference.get("key", "")
        causes += invalid_each(f"{path}.{kind}.name", name, names.subdomain(name))
        causes += (
            [required(f"{path}.{kind}.key")]
            if not key
            else invalid_each(f"{path}.{kind}.key", key, names.config_key(key))
        )
    count = sum(item is not None for item in source.values())
    if not count:
        options = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        causes.append(invalid(path, "", f"must specify one of: {options}"))
    elif has_value:
        causes.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif count > 1:
        causes.append(invalid(path, "", "may not have more than one field specified at a time"))
    return causes


def check_field_ref(reference: Json, path: str, known: frozenset[str]) -> list[Cause]:
    field = reference.get("fieldPath", "")
    if not reference.get("apiVersion"):
        return [required(f"{path}.apiVersion")]
    if not field:
        return [required(f"{path}.fieldPath")]
    if SUBSCRIPTED.fullmatch(field) or field in known:
        return []
    return [invalid(f"{path}.fieldPath", field, f"error converting fieldPath: field label not supported: {field}")]


def check_resource_field(reference: Json, path: str, *, in_volume: bool) -> list[Cause]:
    resource = reference.get("resource", "")
    if in_volume and not reference.get("containerName"):
        return [required(f"{path}.containerName")]
    if not resource:
        return [required(f"{path}.resource")]
    if resource in RESOURCE_FIELDS or resource.startswith(("limits.hugepages-", "requests.hugepages-")):
        return []
    return [not_supported(f"{path}.resource", resource, RESOURCE_FIELDS)]


def check_env_from(sources: list[Json], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, source in enumerate(sources):
        here = f"{path}[{index}]"
        if prefix := source.get("prefix"):
            causes += invalid_each(f"{here}.prefix", prefix, names.environment_name(prefix))
        found = [kind for kind in ("configMapRef", "secretRef") if source.get(kind) is not None]
        for kind in found:
            if not source[kind].get("name"):
                causes.append(required(f"{here}.{kind}.name"))
        if not found:
            causes.append(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(found) > 1:
            causes.append(invalid(path, "", "may not have more than one field specified at a time"))
    return causes


def check_mounts(mounts: list[Json], path: str, volumes: set[str]) -> list[Cause]:
    causes: list[Cause] = []
    places: set[str] = set()
    for index, mount in enumerate(mounts):
        here = f"{path}[{index}]"
        name, place = mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            causes.append(required(f"{here}.name"))
        if name not in volumes:
            causes.append(not_found(f"{here}.name", name))
        if not place:
            causes.append(required(f"{here}.mountPath"))
        if place in places:
            causes.append(invalid(f"{here}.mountPath", place, "must be unique"))
        places.add(place)
        if sub := mount.get("subPath"):
            causes += check_local_path(sub, f"{path}.subPath")
        if expression := mount.get("subPathExpr"):
            if mount.get("subPath"):
                detail = "subPathExpr and subPath are mutually exclusive"
                causes.append(invalid(f"{here}.subPathExpr", expression, detail))
            causes += check_local_path(expression, f"{path}.subPathExpr")
    return causes


def check_local_path(value: str, path: str) -> list[Cause]:
    """A path below something: relative, and never up."""
    if value.startswith("/"):
        return [invalid(path, value, "must be a relative path")]
    return check_no_backsteps(value, path)


def check_no_backsteps(value: str, path: str) -> list[Cause]:
    return [invalid(path, value, "must not contain '..'")] if ".." in value.split("/") else []


def check_lifecycle(lifecycle: Json | None, path: str, grace: int) -> list[Cause]:
    causes: list[Cause] = []
    for hook in ("postStart", "preStop"):
        handler = (lifecycle or {}).get(hook)
        if handler is None:
            continue
        causes += check_handler(handler, f"{path}.{hook}", (*HANDLERS[:3], "sleep"))
        if (sleep := handler.get("sleep")) is not None and not 0 <= sleep.get("seconds", 0) <= grace:
            detail = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
            causes.append(invalid(f"{path}.{hook}.sleep", sleep.get("seconds", 0), detail))
    return causes


def _check_named_probe(probe: Json | None, name: str, path: str, grace: int) -> list[Cause]:
    del grace
    if probe is None:
        return []
    here = f"{path}.{name}"
    causes = check_probe(probe, here)
    period = probe.get("terminationGracePeriodSeconds")
    if name == "readinessProbe":
        if period is not None:
            detail = "must not be set for readinessProbes"
            causes.append(invalid(f"{here}.terminationGracePeriodSeconds", period, detail))
    elif probe.get("successThreshold", 1) != 1:
        causes.append(invalid(f"{here}.successThreshold", probe.get("successThreshold"), "must be 1"))
    return causes


def check_probe(probe: Json, path: str) -> list[Cause]:
    causes = check_handler(probe, path, HANDLERS)
    for field in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        causes += not_negative(probe.get(field, 0), f"{path}.{field}")
    period = probe.get("terminationGracePeriodSeconds")
    if period is not None and period <= 0:
        causes.append(invalid(f"{path}.terminationGracePeriodSeconds", period, "must be greater than 0"))
    return causes


def check_handler(handler: Json, path: str, kinds: tuple[str, ...]) -> list[Cause]:
    """Exactly one action, and that one well formed."""
    causes: list[Cause] = []
    found = 0
    for kind in kinds:
        action = handler.get(kind)
        if action is None:
            continue
        here = f"{path}.{kind}"
        found += 1
        if found > 1:
            causes.append(forbidden(here, "may not specify more than 1 handler type"))
        elif kind == "exec" and not action.get("command"):
            causes.append(required(f"{here}.command"))
        elif kind == "httpGet":
            causes += _check_http_get(action, here)
        elif kind == "tcpSocket":
            causes += check_port_reference(action.get("port", 0), f"{here}.port")
        elif kind == "grpc":
            causes += invalid_each(f"{here}.port", action.get("port", 0), names.port_number(action.get("port", 0)))
    if not found:
        causes.append(required(path, "must specify a handler type"))
    return causes


def _check_http_get(action: Json, path: str) -> list[Cause]:
    causes = [] if action.get("path") else [required(f"{path}.path")]
    causes += check_port_reference(action.get("port", 0), f"{path}.port")
    if action.get("scheme") not in ("HTTP", "HTTPS"):
        causes.append(not_supported(f"{path}.scheme", action.get("scheme", ""), ("HTTP", "HTTPS")))
    for header in action.get("httpHeaders") or ():
        name = header.get("name", "")
        causes += invalid_each(f"{path}.httpHeaders", name, names.header(name))
    return causes


def check_port_reference(port: Any, path: str) -> list[Cause]:
    """A port by number or by name."""
    return invalid_each(path, port, names.port_name(port) if isinstance(port, str) else names.port_number(port))


def check_security(context: Json | None, path: str) -> list[Cause]:
    if not context:
        return []
    causes: list[Cause] = []
    for field in ("runAsUser", "runAsGroup"):
        if (value := context.get(field)) is not None and not 0 <= value < 2**31:
            causes.append(invalid(f"{path}.{field}", value, UNIX_ID))
    if context.get("procMount") not in (None, "Default", "Unmasked"):
        causes.append(not_supported(f"{path}.procMount", context["procMount"], ("Default", "Unmasked")))
    causes += check_seccomp(context.get("seccompProfile"), f"{path}.seccompProfile")
    if context.get("allowPrivilegeEscalation") is False:
        added = (context.get("capabilities") or {}).get("add") or ()
        if context.get("privileged"):
            detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            causes.append(invalid(path, _internal_security(context), detail))
        if any(capability in ("SYS_ADMIN", "CAP_SYS_ADMIN") for capability in added):
            detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            causes.append(invalid(path, _internal_security(context), detail))
    return causes


def _internal_security(context: Json) -> Json:
    """The context as Go prints its internal type: every field, with its Go name."""
    fields = [
        "Capabilities",
        "Privileged",
        "SELinuxOptions",
        "WindowsOptions",
        "RunAsUser",
        "RunAsGroup",
        "RunAsNonRoot",
        "ReadOnlyRootFilesystem",
        "AllowPrivilegeEscalation",
        "ProcMount",
        "SeccompProfile",
        "AppArmorProfile",
    ]
    return {field: context.get(f"{field[0].lower()}{field[1:]}") for field in fields}


def check_seccomp(profile: Json | None, path: str) -> list[Cause]:
    if profile is None:
        return []
    kind, local = profile.get("type", ""), profile.get("localhostProfile")
    if kind == "Localhost":
        return [] if local else [required(f"{path}.localhostProfile", "must be set when seccomp type is Localhost")]
    if kind not in ("RuntimeDefault", "Unconfined"):
        return [not_supported(f"{path}.type", kind, ("Localhost", "RuntimeDefault", "Unconfined"))]
    if local is not None:
        return [invalid(f"{path}.localhostProfile", local, "can only be set when seccomp type is Localhost")]
    return []
