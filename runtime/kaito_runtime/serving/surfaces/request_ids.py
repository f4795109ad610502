"""Ids of requests: the client's `x-request-id` where it is usable, otherwise a fresh one."""

from __future__ import annotations

import re
import uuid

from fastapi import Request

HEADER = "x-request-id"
_USABLE = re.compile(r"[\x21-\x7e]{1,128}")


def request_id(request: Request, prefix: str) -> str:
    """The completion's id: exactly the header's value (as Kaito has it), or `prefix` and 32 hexadecimal digits."""
    given = request.headers.get(HEADER, "")
    return given if _USABLE.fullmatch(given) else prefix + uuid.uuid4().hex
