"""Which representation a client asked for in its Accept header."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from kaito.embedded.apiserver.errors import not_acceptable

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
MEDIA_TYPES = (JSON, YAML, PROTOBUF)

Shape = Literal["object", "table", "partial"]


@dataclass(frozen=True)
class Clause:
    """One element of an Accept header."""

    media_type: str
    parameters: tuple[tuple[str, str], ...]
    quality: float

    def parameter(self, name: str) -> str:
        return next((value for key, value in self.parameters if key == name), "")


@dataclass(frozen=True)
class Format:
    """The chosen representation. `version` is that of the Table or PartialObjectMetadata ("v1", "v1beta1")."""

    shape: Shape = "object"
    version: str = "v1"
    yaml: bool = False

    @property
    def content_type(self) -> str:
        return YAML if self.yaml else JSON


@lru_cache(maxsize=512)
def clauses(accept: str) -> tuple[Clause, ...]:
    """The header's elements, best quality first, in the order given among equals."""
    found: list[Clause] = []
    for element in accept.split(","):
        media_type, *rest = (piece.strip() for piece in element.split(";"))
        parameters: list[tuple[str, str]] = []
        quality = 1.0
        for piece in rest:
            key, _, value = piece.partition("=")
            if key == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
            else:
                parameters.append((key, value.strip('"')))
        if media_type:
            found.append(Clause(media_type.lower(), tuple(parameters), quality))
    return tuple(sorted(found, key=lambda clause: -clause.quality))


@lru_cache(maxsize=512)
def choose(accept: str, shapes: tuple[Shape, ...] = ("object", "table", "partial")) -> Format:
    """The format to answer in; 406 where nothing suits. Protobuf is asked for but never chosen: JSON follows it."""
    if not accept:
        return Format()
    for clause in clauses(accept):
        if clause.media_type in ("*/*", "application/*", JSON):
            yaml = False
        elif clause.media_type in (YAML, "application/x-yaml"):
            yaml = True
        else:
            continue
        wanted = clause.parameter("as")
        if not wanted:
            return Format(yaml=yaml)
        if clause.parameter("g") != "meta.k8s.io" or clause.parameter("v") not in ("v1", "v1beta1"):
            continue
        if wanted == "Table" and "table" in shapes:
            return Format("table", clause.parameter("v"), yaml)
        if wanted in ("PartialObjectMetadata", "PartialObjectMetadataList") and "partial" in shapes:
            return Format("partial", clause.parameter("v"), yaml)
    raise not_acceptable(_acceptable(shapes))


def _acceptable(shapes: Sequence[Shape]) -> Sequence[str]:
    return MEDIA_TYPES
