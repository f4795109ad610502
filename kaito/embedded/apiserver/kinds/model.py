"""What the API server knows about one resource of one group version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A Table column; `priority` 0 is shown always, higher ones by `-o wide`."""

    name: str
    type: str
    format: str = ""
    description: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Subresource:
    """A path below an object, e.g. `scale` of deployments; group, version and kind are those of its body."""

    name: str
    group: str
    version: str
    kind: str
    verbs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource: names, verbs, subresources, what can be selected on and how it is printed.

    `columns` starts with Name. `storage_version_hash` is what discovery shows, empty where nothing is stored.
    """

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    list_kind: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    selectable_fields: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    subresource_table: tuple[Subresource, ...] = ()
    storage_version_hash: str = ""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


@dataclass(frozen=True, slots=True)
class Cause:
    """A metav1.StatusCause of a validation failure.

    `field` is the path (`<nil>` for the root of a custom resource); `message` is what follows the field in the Status
    message, e.g. `Required value: name or generateName is required`; `reason` is the cause type, e.g.
    FieldValueRequired.
    """

    field: str
    message: str
    reason: str = "FieldValueInvalid"

    @property
    def type(self) -> str:
        """Another name of `reason`, as Go's StatusCause calls it."""
        return self.reason
