"""The order in which a custom resource is validated (apiextensions' customresource strategy): metadata, schema, scale,
embedded objects, list invariants, and rules only where nothing before them makes their evaluation meaningless."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.store import Object
from kaito.embedded.apiserver.structural import embedded, rules, scaling, validation
from kaito.embedded.apiserver.structural.resource import BLOCKING, NOT_CHECKED, StructuralSchema
from kaito.embedded.apiserver.structural.schema import ABSENT


def validate(
    schema: StructuralSchema, obj: Object, old: Object | None, scale: dict[str, Any] | None, found: Sequence[Cause]
) -> list[Cause]:
    """Everything wrong with an object.

    `scale` is the version's `subresources.scale`, `found` what is wrong with the metadata: that too can make the rules
    unchecked, which is why this is not StructuralSchema.validate.
    """
    root = schema.root
    before: Any = ABSENT if old is None else old
    causes = [*found, *validation.check(root, obj, "", before)]
    causes += scaling.check(scale, obj)
    causes += embedded.check(root, obj, "", before)
    causes += validation.check_lists(root, obj, "", before)
    if root.any_rules:
        if any(cause.reason in BLOCKING for cause in causes):
            causes.append(NOT_CHECKED)
        else:
            causes += rules.evaluate(root, obj, "", before)
    return causes
