"""Tables: what `kubectl get` prints, rendered by the server (meta.k8s.io Table)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import orjson

from kaito.embedded.apiserver.kinds.strategy import TEMPLATE_GENERATION
from kaito.embedded.apiserver.resources import Resource
from kaito.embedded.apiserver.store import Entry, Object

_ROWS_A_TURN = 50  # rows rendered before the loop gets a turn
INCLUDE = ("None", "Metadata", "Object")


def shown_metadata(entry: Entry) -> Object:
    """An object's metadata where it is shown alone.

    What a DaemonSet's annotation says is a field of the real server's own, which becomes an annotation only where the
    whole object is written.
    """
    metadata: Object = entry.object["metadata"]
    annotations = metadata.get("annotations") or {}
    if TEMPLATE_GENERATION not in annotations:
        return metadata
    rest = {key: value for key, value in annotations.items() if key != TEMPLATE_GENERATION}
    kept = {key: value for key, value in metadata.items() if key != "annotations"}
    return {**kept, "annotations": rest} if rest else kept


class TableWriter:
    """Renders rows of one resource. `include` says what of the object goes with each row."""

    def __init__(self, resource: Resource, version: str, include: str) -> None:
        self._resource = resource
        self._version = version
        self._include = include
        partial = {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{version}"}
        self._partial = orjson.dumps(partial)[:-1] + b',"metadata":'

    def row(self, entry: Entry, now: datetime) -> bytes:
        """One row. An object that cannot be printed shows its name and nothing else."""
        resource = self._resource
        row = resource.strategy.row(resource.content(entry), now)
        document: dict[str, Any] = {"cells": row.cells}
        if row.conditions:
            document["conditions"] = row.conditions
        head = orjson.dumps(document)[:-1]
        if self._include == "Object":
            tail = b',"object":' + resource.encode(entry) + b"}"
        elif self._include == "None":
            tail = b',"object":null}'
        else:
            tail = b',"object":' + self._partial + orjson.dumps(shown_metadata(entry)) + b"}}"
        return head + tail

    def frame(self, rows: Sequence[bytes], metadata: dict[str, Any], *, columns: bool) -> bytes:
        """A whole Table; later events of a watch leave the columns out."""
        definitions = self._resource.strategy.columns() if columns else None
        head: dict[str, Any] = {"kind": "Table", "apiVersion": f"meta.k8s.io/{self._version}", "metadata": metadata}
        head["columnDefinitions"] = definitions
        # Go's nil slice: kinds without a printer make the list of rows with the first of them.
        listed = b"[" + b",".join(rows) + b"]" if rows or self._resource.printed else b"null"
        return orjson.dumps(head)[:-1] + b',"rows":' + listed + b"}"


async def render(
    resource: Resource,
    entries: Iterable[Entry],
    metadata: dict[str, Any],
    *,
    version: str,
    include: str,
    now: datetime,
) -> bytes:
    """A Table of many entries; gives the loop a turn now and then."""
    writer = TableWriter(resource, version, include)
    rows: list[bytes] = []
    for entry in entries:
        rows.append(writer.row(entry, now))
        if len(rows) % _ROWS_A_TURN == 0:
            await asyncio.sleep(0)
    return writer.frame(rows, metadata, columns=True)
