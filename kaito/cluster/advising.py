"""Admission as the operator decides it, with a word of advice where Kaito's own wording is hard to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kaito.catalog.nearest import advice
from kaito.operator.admission import Review, Reviewer


class AdvisingReviewer(Reviewer):
    """The refusals stay Kaito's, word for word; the advice comes as a warning, which kubectl prints before them."""

    async def review(
        self,
        operation: str,
        gvr: tuple[str, str, str],
        old: Mapping[str, Any] | None,
        new: Mapping[str, Any] | None,
        *,
        subresource: str = "",
    ) -> Review:
        """See `Reviewer.review`."""
        verdict = await super().review(operation, gvr, old, new, subresource=subresource)
        said = advice(verdict.message)
        return replace(verdict, warnings=(*verdict.warnings, said)) if said else verdict
