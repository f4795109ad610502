"""Reading request bodies: size limit, JSON whatever the content type says, validation with the field named.

Shapes that do not fit (no JSON, a missing or unknown field, a wrong type) are 422, values out of their range 400.
"""

from __future__ import annotations

import asyncio
import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError

from .problems import ClientGone, Problem
from .serving_state import SurfaceSettings

MiB = 2**20

Body = TypeVar("Body", bound="RequestBody")

_RANGE_ERRORS = ("greater_than", "less_than", "too_", "string_too_", "value_error", "finite_number")
_UNION_MEMBER = re.compile(r"(str|int|float|bool|dict|constrained-.*|list\[.*|nullable\[.*|function-.*)")
"""What pydantic puts into an error's place for the member of a union that it tried."""


class RequestBody(BaseModel):
    """A request: strict types (no "5" for 5), finite numbers, unknown fields refused."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


async def read_body(request: Request, kind: type[Body], settings: SurfaceSettings) -> Body:
    """The body as `kind`. Raises `Problem` 408 where it does not arrive in time, 413 over the limit, 415 for a
    compressed one, 422 or 400 where it does not validate."""
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        raise Problem(415, f"Content-Encoding {encoding[:64]!r} is not supported; send the body as it is")
    try:
        async with asyncio.timeout(settings.timeout):
            raw = await _read(request, settings.body_limit)
    except TimeoutError:
        raise Problem(
            408, f"The body did not arrive within {settings.timeout:g} seconds", type="timeout", code="request_timeout"
        ) from None
    if not raw:
        detail = [{"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}]
        raise Problem(422, "The request has no body; a JSON object is required", code="missing", detail=detail)
    try:
        return kind.model_validate_json(raw)
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False, include_context=False), kind) from None


def validate(kind: type[Body], value: Mapping[str, Any], *, at: tuple[str, ...] = ()) -> Body:
    """An already parsed object as `kind`; errors name fields below `at`."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False)
        raise _refusal([{**e, "loc": (*at, *e["loc"])} for e in errors], kind) from None


async def _read(request: Request, limit: int) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise _too_large(limit)
    received = bytearray()
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        received += message.get("body", b"")
        if len(received) > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return bytes(received)


def _too_large(limit: int) -> Problem:
    return Problem(413, f"The body is larger than the limit of {limit} bytes", code="body_too_large")


def _refusal(errors: Sequence[Mapping[str, Any]], kind: type[BaseModel]) -> Problem:
    """One error as the sentence; all of them as FastAPI's list.

    That is the first one, or, where a field has several shapes and each was refused for its own reason, the first
    that is about a value and not about the shape.
    """
    same_field = [e for e in errors if e["loc"][:1] == errors[0]["loc"][:1]]
    first = next((e for e in same_field if _out_of_range(e)), errors[0])
    detail = [
        {"type": e["type"], "loc": ["body", *_names(e)], "msg": e["msg"], "input": _short(e.get("input"))}
        for e in errors
    ]
    if first["type"] == "json_invalid":
        return Problem(422, f"The body is not valid JSON: {first['msg']}", code="json_invalid", detail=detail)
    place = ".".join(str(part) for part in _names(first))
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place, kind.model_fields, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return Problem(
            422, f"Unknown parameter: {place[:64]}{hint}", param=place, code="unknown_parameter", detail=detail
        )
    if first["type"] == "missing":
        return Problem(422, f"Missing required parameter: {place}", param=place, code="missing", detail=detail)
    said = str(first["msg"]).removeprefix("Value error, ")
    message = f"{place}: {said}" if place else f"The body is not what is expected: {said}"
    return Problem(
        400 if _out_of_range(first) else 422, message, param=place or None, code=first["type"], detail=detail
    )


def _out_of_range(error: Mapping[str, Any]) -> bool:
    return str(error["type"]).startswith(_RANGE_ERRORS)


def _names(error: Mapping[str, Any]) -> list[str | int]:
    """The field's path, without the members of unions."""
    path = error["loc"]
    return [part for part in path if part is path[0] or isinstance(part, int) or not _UNION_MEMBER.fullmatch(part)]


def _short(value: Any) -> Any:
    """The refused value, cut to what is worth sending back."""
    if value is None or isinstance(value, bool | int | float):
        return value if not isinstance(value, int) or abs(value) < 2**53 else str(value)[:64]
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 256 else text[:256] + "…"
