"""Making validation causes with the words of k8s.io/apimachinery/pkg/util/validation/field."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from kaito.embedded.apiserver.kinds.model import Cause

ESCAPES: Final = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def shown(value: Any) -> str:
    """A bad value as errors print it: strings quoted, the rest as JSON, with Go's escapes in lists and objects."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.translate(ESCAPES) if isinstance(value, (dict, list)) else text


def required(path: str, detail: str = "") -> Cause:
    return Cause(path, f"Required value: {detail}" if detail else "Required value", "FieldValueRequired")


def invalid(path: str, value: Any, detail: str) -> Cause:
    text = f"Invalid value: {shown(value)}"
    return Cause(path, f"{text}: {detail}" if detail else text, "FieldValueInvalid")


def invalid_each(path: str, value: Any, details: Iterable[str]) -> list[Cause]:
    return [invalid(path, value, detail) for detail in details]


def forbidden(path: str, detail: str) -> Cause:
    return Cause(path, f"Forbidden: {detail}", "FieldValueForbidden")


def duplicate(path: str, value: Any) -> Cause:
    return Cause(path, f"Duplicate value: {shown(value)}", "FieldValueDuplicate")


def not_found(path: str, value: Any) -> Cause:
    return Cause(path, f"Not found: {shown(value)}", "FieldValueNotFound")


def too_long(path: str, limit: int) -> Cause:
    return Cause(path, f"Too long: may not be more than {limit} bytes", "FieldValueTooLong")


def not_supported(path: str, value: Any, options: Iterable[str]) -> Cause:
    """`options` in the order the server prints them."""
    listed = ", ".join(f'"{option}"' for option in options)
    return Cause(path, f"Unsupported value: {shown(value)}: supported values: {listed}", "FieldValueNotSupported")
