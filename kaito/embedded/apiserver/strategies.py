"""What differs between one kind and another when objects are read from clients and written to the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from kaito.embedded.apiserver.store import Object


class CauseLike(Protocol):
    """A wrong field of an object, whoever found it."""

    @property
    def reason(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def field(self) -> str: ...


@dataclass(slots=True)
class Decoded:
    """An object as the server understands it, and what it did not understand (`unknown field "spec.foo"`)."""

    object: Object
    remarks: list[str] = field(default_factory=list)


class Undecodable(ValueError):
    """The object cannot be read as its kind at all; the message has Go's words."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a Table: its cells and the conditions of a finished object."""

    cells: list[Any]
    conditions: list[dict[str, Any]] = field(default_factory=list)


class Strategy(Protocol):
    """The rules of one kind in one version. All are pure; objects carry apiVersion and kind."""

    def decode(self, obj: Object, *, keep_nulls: bool = False) -> Decoded:
        """Reads what a client sent: unknown fields dropped, defaults filled in. Raises Undecodable.

        `keep_nulls`: members of custom resources that may not be null are left for validation to refuse.
        """
        ...

    def prepare_create(self, obj: Object) -> None:
        """Changes `obj` in place before it is validated for a create (status reset, generation, derived fields)."""
        ...

    def prepare_update(self, new: Object, old: Object, subresource: str) -> None:
        """Changes `new` in place before it is validated for an update (what may not change is taken from `old`)."""
        ...

    def finish(self, obj: Object) -> None:
        """Changes a valid object in place into what is stored and answered."""
        ...

    def validate_create(self, obj: Object) -> Sequence[CauseLike]: ...

    def validate_update(self, new: Object, old: Object, subresource: str) -> Sequence[CauseLike]: ...

    def warnings(self, obj: Object, old: Object | None) -> list[str]:
        """What to warn of though it is allowed."""
        ...

    def merge_patch_strategically(self, original: Object, patch: Object) -> Object | None:
        """The original with a strategic merge patch applied; None for kinds that have none (custom resources)."""
        ...

    def conversion_error(self, obj: Object) -> str | None:
        """Why a patched object is not of this kind, in the words for strategic patches and applies; None if it is."""
        ...

    def converted(self, obj: Object) -> Object:
        """An object without conversion errors, its numbers made to fit the fields that hold them."""
        ...

    def track(self, new: Object, live: Object | None, *, manager: str, time: str, subresource: str) -> None:
        """Records in `new` (managedFields) which of its fields `manager` wrote."""
        ...

    def apply(
        self, live: Object | None, patch: Object, *, manager: str, force: bool, time: str, subresource: str
    ) -> Object:
        """Server-side apply. Raises a StatusError for conflicts and for what cannot be merged."""
        ...

    def columns(self) -> list[dict[str, Any]]:
        """The column definitions of a Table, Name first."""
        ...

    def row(self, obj: Object, now: datetime) -> Row: ...
