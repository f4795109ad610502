"""StructuralSchema: what the API server does with the objects of one CRD version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.structural import defaulting, embedded, pruning, rules, scaling, validation
from kaito.embedded.apiserver.structural.schema import ABSENT, Node, compile_node

Json = dict[str, Any]
# After these nothing can be said about rules: the object is not what they expect.
BLOCKING: Final = frozenset(
    {"FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid"}
)
NOT_CHECKED: Final = Cause(
    "<nil>",
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation",
)


class Verdict(NamedTuple):
    """What forbids an object, and what is to be warned of: rules that an unchanged part does not follow."""

    causes: list[Cause]
    warnings: list[str]


class StructuralSchema:
    """A compiled `openAPIV3Schema`. Immutable; `default` and `prune` change the object they are given."""

    def __init__(self, schema: Json, scale: Json | None = None) -> None:
        self._scale = scale
        self.root: Node = compile_node(schema or {"x-kubernetes-preserve-unknown-fields": True}, is_resource=True)

    def default(self, obj: Json) -> Json:
        """Fills in defaults and drops nulls that may not be, in place; returns the object."""
        defaulting.apply_defaults(self.root, obj)
        defaulting.drop_nulls(self.root, obj)
        return obj

    def prune(self, obj: Json) -> list[str]:
        """Removes unknown members in place; returns their paths (`spec.foo`, `spec.items[0].bar`), sorted."""
        return pruning.prune(self.root, obj, is_resource=True)

    def validate(
        self, obj: Json, old: Json | None = None, found: Sequence[Cause] = (), *, only_status: bool = False
    ) -> Verdict:
        """What is wrong with an object: schema, scale, embedded objects, list invariants, and rules only where nothing
        before them makes their evaluation meaningless.

        `found` is what is wrong with the metadata: that too can make the rules unchecked. With `old` (update),
        unchanged values pass. `only_status`: the write is one of the status.
        """
        before: Any = ABSENT if old is None else old
        causes = [*found]
        if only_status:
            causes += self._check_status(obj, old or {})
            causes += scaling.check(self._scale, obj, ("statusReplicasPath",))
        else:
            causes += validation.check(self.root, obj, "", before)
            causes += scaling.check(self._scale, obj)
            causes += embedded.check(self.root, obj, "")
        repeated = validation.check_lists(self.root, obj, "")
        if repeated and (old is None or not validation.check_lists(self.root, old, "")):
            causes += repeated
        if not self.root.any_rules:
            return Verdict(causes, [])
        if any(cause.reason in BLOCKING for cause in causes):
            return Verdict([*causes, NOT_CHECKED], [])
        broken, ratcheted = rules.evaluate(self.root, obj, before)
        return Verdict([*causes, *broken], [f"{cause.field}: {cause.message}" for cause in ratcheted])

    def _check_status(self, obj: Json, old: Json) -> list[Cause]:
        """The status alone, as a document of its own: messages tell the way from it."""
        node = self.root.properties.get("status")
        if node is None or "status" not in obj:
            return []
        return [
            Cause("status" if cause.field == "<nil>" else f"status.{cause.field}", cause.message, cause.reason)
            for cause in validation.check(node, obj["status"], "", old.get("status", ABSENT))
        ]


def compile(schema: Json, scale: Json | None = None) -> StructuralSchema:
    """Compiles an `openAPIV3Schema`; `scale` is the version's `subresources.scale`. Raises ValueError for a pattern
    that is no regular expression."""
    return StructuralSchema(schema, scale)
