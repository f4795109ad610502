"""What Kubernetes' own functions are estimated to cost (k8s.io/apiserver/pkg/cel/library/cost.go)."""

from __future__ import annotations

import math
from typing import Final

from kaito.embedded.apiserver.structural.cel import types
from kaito.embedded.apiserver.structural.cel.costs import Coster, Part
from kaito.embedded.apiserver.structural.cel.estimates import (
    LARGEST,
    ONE,
    PATTERN,
    TRAVERSAL,
    CallEstimate,
    Range,
    fixed,
)
from kaito.embedded.apiserver.structural.cel.nodes import Literal

_ADDRESS: Final = Range(4, 16)
_LONGEST_FORMAT: Final = 128
_PARSING: Final = frozenset(("url", "quantity", "isQuantity", "semver", "isSemver", "ip", "isIP", "cidr", "isCIDR"))
"""They cost one traversal of the text."""
_NOMINAL: Final = frozenset(
    (
        *("masked", "prefixLength", "family", "isUnspecified", "isLoopback", "isLinkLocalMulticast"),
        *("isLinkLocalUnicast", "isGlobalUnicast", "sign", "asInteger", "isInteger", "asApproximateFloat"),
        *("isGreaterThan", "isLessThan", "compareTo", "add", "sub", "major", "minor", "patch", "format.named"),
    )
)


def estimate(
    coster: Coster, function: str, overload: str, target: Part | None, args: list[Part]
) -> CallEstimate | None:
    """None for a function that is none of Kubernetes' own."""
    if function in _NOMINAL:
        return CallEstimate(ONE)
    if function in _PARSING and target is None:
        return CallEstimate(coster.sized(args[0]).scaled(TRAVERSAL))
    if function == "ip.isCanonical":
        return CallEstimate(coster.sized(args[0]).scaled(2 * TRAVERSAL))
    if function in ("_==_", "_!=_") and args[0].type.kind == "opaque" and not types.is_optional(args[0].type):
        return CallEstimate(ONE)
    if function.startswith("sets."):
        size = coster.sized(args[0]).times(coster.sized(args[1]))
        return CallEstimate(size.scaled(2 if function == "sets.equivalent" else 1).plus(ONE))
    return _of_target(coster, function, overload, target, args) if target is not None else None


def _of_target(coster: Coster, function: str, overload: str, target: Part, args: list[Part]) -> CallEstimate | None:
    size = coster.sized(target)
    match function:
        case "isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf":
            return _traversed(coster, target, size)
        case "lowerAscii" | "upperAscii" | "substring" | "trim":
            return CallEstimate(size.scaled(TRAVERSAL), size)
        case "replace":
            return _replaced(size, coster.sized(args[0]), coster.sized(args[1]))
        case "split":
            most = size.high
            if len(args) > 1 and isinstance(args[1].node, Literal) and isinstance(args[1].node.value, int):
                most = args[1].node.value % (LARGEST + 1)
            return CallEstimate(size.scaled(2 * TRAVERSAL), Range(0, most))
        case "join":
            return _joined(coster, target, size, args)
        case "find" | "findAll":
            text = size.plus(ONE).scaled(TRAVERSAL)
            cost = text.times(coster.sized(args[0]).scaled(PATTERN))
            return CallEstimate(cost, Range(0, size.high))
        case "ip":
            return CallEstimate(ONE)
        case "containsIP" | "containsCIDR":
            return _contained(coster, function, overload, args)
        case "validate":
            text = coster.sized(args[0]).scaled(TRAVERSAL)
            return CallEstimate(text.scaled(_LONGEST_FORMAT * PATTERN))
    return None


def _element(coster: Coster, of: Part) -> Part | None:
    if not of.type.params:
        return None
    path = (*of.path, "@items") if of.path else ()
    return Part(None, path, of.type.params[0], None)


def _traversed(coster: Coster, target: Part, size: Range) -> CallEstimate:
    element = _element(coster, target)
    if element is None:
        return CallEstimate(size.scaled(TRAVERSAL))
    each = ONE
    if element.type.kind in ("string", "bytes"):
        each = each.plus(coster.sized(element).scaled(TRAVERSAL))
    return CallEstimate(size.times(each))


def _replaced(size: Range, old: Range, new: Range) -> CallEstimate:
    most, kept_most = 0, 0
    if old.low == 0:
        most, kept_most = min(size.high + 1, LARGEST), size.high
    elif new.high <= old.low:
        kept_most = size.high
    else:
        most = math.ceil(float(size.high) / float(old.low))
    least, kept_least = 0, 0
    if old.high == 0:
        least, kept_least = min(size.low + 1, LARGEST), size.low
    elif old.high <= new.low:
        kept_least = size.low
    else:
        least = math.ceil(float(size.low) / float(old.high))
    made = Range(least, most).times(new).plus(Range(kept_least, kept_most))
    return CallEstimate(size.scaled(2 * TRAVERSAL), made)


def _joined(coster: Coster, target: Part, size: Range, args: list[Part]) -> CallEstimate:
    made = fixed(0)
    if (element := _element(coster, target)) is not None:
        made = size.times(coster.sized(element))
    if args:
        between = Range(max(size.low - 1, 0), max(size.high - 1, 0))
        made = made.plus(coster.sized(args[0]).times(between))
    return CallEstimate(made.scaled(TRAVERSAL), made)


def _contained(coster: Coster, function: str, overload: str, args: list[Part]) -> CallEstimate:
    cost = _ADDRESS.plus(_ADDRESS).scaled(TRAVERSAL)
    if function == "containsCIDR":
        cost = cost.plus(_ADDRESS.scaled(TRAVERSAL)).plus(ONE)
    if overload.endswith("_string"):
        cost = cost.plus(coster.sized(args[0]).scaled(TRAVERSAL))
    return CallEstimate(cost)
