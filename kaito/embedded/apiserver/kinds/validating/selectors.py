"""Label selectors, node selectors, quantities and percentages: pieces that many kinds share."""

from __future__ import annotations

from typing import Any, Final

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.causes import forbidden, invalid, invalid_each, required
from kaito.embedded.apiserver.kinds.model import Cause

Json = dict[str, Any]
NEEDS_VALUES: Final = "must be specified when `operator` is 'In' or 'NotIn'"
NO_VALUES: Final = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"


def check_labels(labels: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for key, value in labels.items():
        causes += invalid_each(path, key, names.qualified_name(key))
        causes += invalid_each(path, value, names.label_value(value))
    return causes


def check_selector(selector: Json | None, path: str) -> list[Cause]:
    """A metav1.LabelSelector."""
    if selector is None:
        return []
    causes = check_labels(selector.get("matchLabels") or {}, f"{path}.matchLabels")
    for index, expression in enumerate(selector.get("matchExpressions") or ()):
        here = f"{path}.matchExpressions[{index}]"
        operator, values = expression.get("operator", ""), expression.get("values") or []
        if operator in ("In", "NotIn"):
            if not values:
                causes.append(required(f"{here}.values", NEEDS_VALUES))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                causes.append(forbidden(f"{here}.values", NO_VALUES))
        else:
            causes.append(invalid(f"{here}.operator", operator, "not a valid selector operator"))
        key = expression.get("key", "")
        causes += invalid_each(f"{here}.key", key, names.qualified_name(key))
        for at, value in enumerate(values):
            causes += invalid_each(f"{here}.values[{at}]", value, names.label_value(value))
    return causes


def matches(selector: Json | None, labels: Json) -> bool:
    """Whether a valid label selector selects these labels; an absent one selects nothing, an empty one everything."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for expression in selector.get("matchExpressions") or ():
        key, values = expression.get("key", ""), expression.get("values") or []
        fits = {
            "In": labels.get(key) in values if key in labels else False,
            "NotIn": labels.get(key) not in values if key in labels else True,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not fits.get(expression.get("operator", ""), False):
            return False
    return True


def is_empty(selector: Json | None) -> bool:
    return selector is not None and not selector.get("matchLabels") and not selector.get("matchExpressions")


def check_node_term(term: Json, path: str) -> list[Cause]:
    """One core NodeSelectorTerm."""
    causes: list[Cause] = []
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        here = f"{path}.matchExpressions[{index}]"
        operator, values = expression.get("operator", ""), expression.get("values") or []
        if operator in ("In", "NotIn"):
            if not values:
                causes.append(required(f"{here}.values", NEEDS_VALUES))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                causes.append(forbidden(f"{here}.values", NO_VALUES))
        elif operator in ("Gt", "Lt"):
            if len(values) != 1:
                causes.append(
                    required(f"{here}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
                )
        else:
            causes.append(invalid(f"{here}.operator", operator, "not a valid selector operator"))
        key = expression.get("key", "")
        causes += invalid_each(f"{here}.key", key, names.qualified_name(key))
    return causes


def not_negative(value: int | None, path: str) -> list[Cause]:
    return [invalid(path, value, names.NOT_NEGATIVE)] if value is not None and value < 0 else []


def check_count_or_percent(value: Any, path: str) -> list[Cause]:
    """An int-or-string that is a non-negative number or a percentage."""
    if isinstance(value, str):
        return [] if value.endswith("%") and value[:-1].isdigit() else [invalid(path, value, names.PERCENT_MESSAGE)]
    return not_negative(value, path)


def check_at_most_all(value: Any, path: str) -> list[Cause]:
    if isinstance(value, str) and value.endswith("%") and value[:-1].isdigit() and int(value[:-1]) > 100:
        return [invalid(path, value, "must not be greater than 100%")]
    return []


def is_zero(value: Any) -> bool:
    """Whether a count or percentage comes to nothing, as text that is neither does."""
    if isinstance(value, str):
        return not value.endswith("%") or not value[:-1].isdigit() or int(value[:-1]) == 0
    return bool(value == 0)
