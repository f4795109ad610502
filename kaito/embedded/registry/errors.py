"""The error codes of the OCI distribution specification, with their HTTP status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_STATUS = {
    "BLOB_UNKNOWN": 404,
    "BLOB_UPLOAD_INVALID": 400,
    "BLOB_UPLOAD_UNKNOWN": 404,
    "DIGEST_INVALID": 400,
    "MANIFEST_BLOB_UNKNOWN": 404,
    "MANIFEST_INVALID": 400,
    "MANIFEST_UNKNOWN": 404,
    "NAME_INVALID": 400,
    "NAME_UNKNOWN": 404,
    "RANGE_INVALID": 416,
    "SIZE_INVALID": 413,
    "TAG_INVALID": 400,
    "UNAUTHORIZED": 401,
    "UNSUPPORTED": 405,
}


class RegistryError(Exception):
    """An error a registry client gets as `{"errors": [{"code", "message", "detail"}]}`."""

    def __init__(self, code: str, message: str, *, detail: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = _STATUS[code]
        self.body = {"errors": [{"code": code, "message": message, "detail": detail}]}
