"""Environment variables of containers: references resolved, ``$(NAME)`` expanded, services announced."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from kaito.embedded.kubelet.fields import PodFacts, UnknownField, container_named
from kaito.kube.errors import NotFound

_NAME = re.compile(r"^[-._a-zA-Z][-._a-zA-Z0-9]*$")
_EXPANSION = re.compile(r"\$(\$|\(([^()]*)\))")


class BadConfiguration(Exception):
    """A container that cannot be made as configured (``CreateContainerConfigError``); the message says why."""


Lookup = Callable[[str, str], Awaitable[Mapping[str, Any]]]
"""Gets a ConfigMap or Secret: (``configmap`` or ``secret``, name) -> object. Raises NotFound."""


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` by the variable, leave unknown names as they are; ``$$`` is a plain ``$``.

    Source: k8s.io/kubernetes third_party/forked/golang/expansion.
    """

    def replaced(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        return variables.get(match[2], match[0])

    return _EXPANSION.sub(replaced, text)


async def container_variables(
    container: Mapping[str, Any],
    facts: PodFacts,
    lookup: Lookup,
    *,
    services: Mapping[str, str],
    base: Mapping[str, str],
) -> dict[str, str]:
    """All variables of a container: ``base`` (image and kubelet), then services, ``envFrom``, ``env``; later wins.

    Raises `BadConfiguration` for a reference that is not there and not optional.
    """
    result: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        for key, value in (await _all_of(source, lookup)).items():
            name = (source.get("prefix") or "") + key
            if _NAME.match(name):
                result[name] = value
    scope = dict(services) | result
    for entry in container.get("env") or ():
        name = entry["name"]
        found = await _value_of(entry, container, facts, lookup, scope)
        if found is not None:
            result[name] = scope[name] = found
    return {**base, **services, **result}


async def _value_of(
    entry: Mapping[str, Any],
    container: Mapping[str, Any],
    facts: PodFacts,
    lookup: Lookup,
    scope: Mapping[str, str],
) -> str | None:
    source: Mapping[str, Any] | None = entry.get("valueFrom")
    if not source:
        return expand(entry.get("value") or "", scope)
    try:
        reference: Mapping[str, Any]
        if reference := source.get("fieldRef") or {}:
            return facts.field(reference["fieldPath"])
        if reference := source.get("resourceFieldRef") or {}:
            about = reference.get("containerName")
            return facts.resource(reference, container_named(facts.pod, about) if about else container)
    except UnknownField as error:
        raise BadConfiguration(str(error)) from error
    if reference := source.get("configMapKeyRef") or {}:
        return await _key_of("configmap", reference, facts, lookup)
    if reference := source.get("secretKeyRef") or {}:
        return await _key_of("secret", reference, facts, lookup)
    kind = next(iter(source), "nothing")
    raise BadConfiguration(f"variable {entry['name']}: valueFrom.{kind} is not implemented by the process kubelet")


async def _key_of(kind: str, reference: Mapping[str, Any], facts: PodFacts, lookup: Lookup) -> str | None:
    name, key, optional = reference.get("name", ""), reference["key"], reference.get("optional", False)
    try:
        values = content(kind, await lookup(kind, name))
    except NotFound as error:
        if optional:
            return None
        raise BadConfiguration(f'{kind} "{name}" not found') from error
    if key in values:
        return values[key].decode(errors="replace")
    if optional:
        return None
    shown = "ConfigMap" if kind == "configmap" else "Secret"
    raise BadConfiguration(f"couldn't find key {key} in {shown} {facts.pod['metadata'].get('namespace')}/{name}")


async def _all_of(source: Mapping[str, Any], lookup: Lookup) -> dict[str, str]:
    for kind, field in (("configmap", "configMapRef"), ("secret", "secretRef")):
        if reference := source.get(field):
            name = str(reference.get("name", ""))
            try:
                found = await lookup(kind, name)
            except NotFound as error:
                if reference.get("optional", False):
                    return {}
                raise BadConfiguration(f'{kind} "{name}" not found') from error
            return {key: value.decode(errors="replace") for key, value in content(kind, found).items()}
    return {}


def content(kind: str, obj: Mapping[str, Any]) -> dict[str, bytes]:
    """The keys of a ConfigMap or Secret with their bytes."""
    encoded = obj.get("data") if kind == "secret" else obj.get("binaryData")
    plain = (obj.get("stringData") if kind == "secret" else obj.get("data")) or {}
    result = {key: str(value).encode() for key, value in plain.items()}
    for key, value in (encoded or {}).items():
        try:
            result[key] = base64.b64decode(value)
        except (binascii.Error, ValueError) as error:
            raise BadConfiguration(f"{kind} {obj['metadata']['name']}: key {key} is not base64") from error
    return result


def service_variables(services: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The variables that announce services to the containers of their namespace.

    Source: k8s.io/kubernetes pkg/kubelet/envvars FromServices.
    """
    result: dict[str, str] = {}
    for service in services:
        spec = service["spec"]
        address = spec.get("clusterIP")
        ports = spec.get("ports") or ()
        if not address or address == "None" or not ports:
            continue
        prefix = service["metadata"]["name"].upper().replace("-", "_")
        result[f"{prefix}_SERVICE_HOST"] = address
        result[f"{prefix}_SERVICE_PORT"] = str(ports[0]["port"])
        for port in ports:
            if port.get("name"):
                result[f"{prefix}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = str(port["port"])
        first = ports[0]
        result[f"{prefix}_PORT"] = f"{first.get('protocol', 'TCP').lower()}://{address}:{first['port']}"
        for port in ports:
            protocol = port.get("protocol", "TCP")
            name = f"{prefix}_PORT_{port['port']}_{protocol.upper()}"
            result[name] = f"{protocol.lower()}://{address}:{port['port']}"
            result[f"{name}_PROTO"] = protocol.lower()
            result[f"{name}_PORT"] = str(port["port"])
            result[f"{name}_ADDR"] = address
    return result
