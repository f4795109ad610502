"""Random objects of any built-in kind, made from the types themselves: well-typed, and mostly senseless."""

from __future__ import annotations

from random import Random
from typing import Any

from kaito.embedded.apiserver.schemas.types import Type

WORDS = (
    "",
    "a",
    "Always",
    "None",
    "TCP",
    "RollingUpdate",
    "Bad_Name",
    "10.0.0.1",
    "80%",
    "x/y",
    "Exists",
    "In",
    "Never",
)
NUMBERS = (0, 1, -1, 80, 70000, 2**31 - 1)
TIMES = ("2026-01-01T00:00:00Z", None)


def generate(kind: Type, random: Random, depth: int = 0) -> Any:
    """A JSON value that decodes into the type; sparse, and ever sparser with depth."""
    match kind.kind:
        case "ptr":
            return None if random.random() < 0.2 else generate(kind.elem, random, depth)
        case "struct":
            share = 0.5 if depth < 4 else 0.15
            return {
                name: generate(field.type, random, depth + 1)
                for name, field in kind.fields.items()
                if name not in ("apiVersion", "kind") and random.random() < share
            }
        case "slice":
            return [generate(kind.elem, random, depth + 1) for _ in range(random.choice((0, 0, 1, 2)))]
        case "map":
            return {
                random.choice(WORDS): generate(kind.elem, random, depth + 1) for _ in range(random.choice((0, 1, 2)))
            }
        case "string":
            return random.choice(WORDS)
        case "bool":
            return random.random() < 0.5
        case "int32" | "int64" | "int" | "float64":
            return random.choice(NUMBERS)
        case "quantity":
            return random.choice(("1", "0", "-1", "500m", "1Gi", "1.5"))
        case "int-or-string":
            return random.choice((0, 5, "http", "25%", ""))
        case "time":
            return random.choice(TIMES)
        case "micro-time":
            return "2026-01-01T00:00:00.000000Z"
        case "bytes":
            return random.choice(("", "Yg==", "e30="))
        case "duration":
            return "5s"
        case "schema-or-bool":
            return random.random() < 0.5
        case _:
            return random.choice((None, {"a": 1}, {}))
