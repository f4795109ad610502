"""Numbers as Go's decoder makes them."""

from __future__ import annotations

from typing import Any, TypeVar

_Value = TypeVar("_Value")


def with_go_numbers(value: _Value) -> _Value:
    """Whole numbers beyond 64 bits become floats, in place; returns the value."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if type(item) is int:
            if not -(2**63) <= item < 2**63:
                value[key] = float(item)  # type: ignore[index]
        elif type(item) is dict or type(item) is list:
            with_go_numbers(item)
    return value
