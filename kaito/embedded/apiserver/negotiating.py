"""Which representation a client asked for in its Accept header."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from kaito.embedded.apiserver.errors import not_acceptable, not_producible

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
MEDIA_TYPES = (JSON, YAML, PROTOBUF)
STREAM_TYPES = (f"{JSON};stream=watch", f"{PROTOBUF};stream=watch")

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
    """The chosen representation. `version` is that of the Table or PartialObjectMetadata ("v1", "v1beta1").

    `listed`: PartialObjectMetadataList was asked for, which only lists can be.
    """

    shape: Shape = "object"
    version: str = "v1"
    yaml: bool = False
    listed: bool = False

    @property
    def content_type(self) -> str:
        return YAML if self.yaml else JSON


@lru_cache(maxsize=512)
def clauses(accept: str) -> tuple[Clause, ...]:
    """The header's elements, best quality first and wildcards last among equals (goautoneg.ParseAccept)."""
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
        if media_type == "*":
            media_type = "*/*"
        if media_type.count("/") == 1:
            found.append(Clause(media_type, tuple(parameters), quality))
    return tuple(sorted(found, key=lambda clause: (-clause.quality, clause.media_type.count("*"))))


def ensure_produced(accept: str, produced: Sequence[str] = MEDIA_TYPES) -> None:
    """The router's look at Accept, before anything else: names alone, no wildcard subtype. Raises its 406.

    Every path of a built-in resource goes through it (go-restful), custom resources do not.
    """
    names = [element.split(";")[0].strip() for element in accept.split(",")]
    if accept and not any(name == "*/*" or name in produced for name in names):
        raise not_producible(produced)


@lru_cache(maxsize=512)
def choose(accept: str, shapes: tuple[Shape, ...] = ("object", "table", "partial")) -> Format:
    """The format to answer in; 406 where nothing suits. Protobuf is asked for but never chosen: JSON follows it."""
    form = _first(accept, shapes)
    if form is None:
        raise not_acceptable(MEDIA_TYPES)
    return form


@lru_cache(maxsize=512)
def choose_stream(accept: str) -> Format:
    """The format of a watch, which is never YAML. Raises a 406."""
    wanted = ",".join(element for element in accept.split(",") if element.split(";")[0].strip() != YAML)
    form = _first(wanted, ("object", "table", "partial")) if wanted or not accept else None
    if form is None:
        raise not_acceptable(STREAM_TYPES)
    return form


def of_errors(accept: str) -> Format:
    """The format of a Status that tells of a failure: JSON wherever nothing suits."""
    return _first(accept, ("object",)) or Format()


def _first(accept: str, shapes: tuple[Shape, ...]) -> Format | None:
    if not accept:
        return Format()
    for clause in clauses(accept):
        if clause.media_type in ("*/*", "application/*", JSON):
            yaml = False
        elif clause.media_type == YAML:
            yaml = True
        else:
            continue
        if clause.parameter("stream") not in ("", "watch") or (yaml and clause.parameter("stream")):
            continue
        form = _shaped(clause, shapes, yaml)
        if form is not None:
            return form
    return None


def _shaped(clause: Clause, shapes: tuple[Shape, ...], yaml: bool) -> Format | None:
    """The format that a clause for JSON or YAML names; None for one that there is not."""
    if not any(key in ("as", "g", "v") for key, _ in clause.parameters):
        return Format(yaml=yaml)
    wanted, version = clause.parameter("as"), clause.parameter("v")
    if clause.parameter("g") != "meta.k8s.io" or version not in ("v1", "v1beta1"):
        return None
    if wanted == "Table" and "table" in shapes:
        return Format("table", version, yaml)
    if wanted in ("PartialObjectMetadata", "PartialObjectMetadataList") and "partial" in shapes:
        return Format("partial", version, yaml, listed=wanted == "PartialObjectMetadataList")
    return None
