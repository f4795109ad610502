"""Label selectors: which of them can be turned into a plain label map, with Kubernetes' texts."""

from __future__ import annotations

from kaito.api.models.base import LabelSelector

_OPERATORS = frozenset({"In", "NotIn", "Exists", "DoesNotExist"})


class SelectorError(ValueError):
    """A selector that is no label map."""


def label_map(selector: LabelSelector | None) -> dict[str, str]:
    """The labels that `selector` means (matchLabels and single-value In expressions); raises SelectorError."""
    if selector is None:
        return {}
    found = dict(selector.match_labels or {})
    for expression in selector.match_expressions or []:
        operator, values = expression.operator or "", expression.values or []
        if operator not in _OPERATORS:
            raise SelectorError(f'"{operator}" is not a valid selector operator')
        if operator != "In":
            raise SelectorError(f'operator "{operator}" cannot be converted into the old label selector format')
        if len(values) != 1:
            raise SelectorError(
                'operator "In" without a single value cannot be converted into the old label selector format'
            )
        found[expression.key or ""] = values[0]
    return found
