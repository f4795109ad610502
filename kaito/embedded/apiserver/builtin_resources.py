"""The resources of a default kube-apiserver, made ready to be served."""

from __future__ import annotations

from kaito.embedded.apiserver.builtin_strategy import BuiltinStrategy
from kaito.embedded.apiserver.conversions import CONVERSIONS
from kaito.embedded.apiserver.kinds.builtin import builtin_groups, builtin_kinds
from kaito.embedded.apiserver.resources import Resource


def builtin_resources() -> list[Resource]:
    """Every built-in resource in the order of discovery."""
    order = {
        (group, version): (at, rank)
        for at, (group, versions) in enumerate(builtin_groups())
        for rank, version in enumerate(versions)
    }
    kinds = sorted(builtin_kinds(), key=lambda kind: order[kind.group, kind.version])
    resources = []
    for kind in kinds:
        shared = CONVERSIONS.get((kind.group, kind.version, kind.plural))
        resources.append(
            Resource(
                kind=kind,
                strategy=BuiltinStrategy(kind),
                collection=shared.collection if shared else f"{kind.group}/{kind.plural}",
                subresources=frozenset(kind.subresources),
                conversion=shared.conversion if shared else None,
            )
        )
    return resources
