"""Sequences over several objects, by seed: which family plays, and what it asks."""

from __future__ import annotations

import random

from tests.unit.apiserver.playing import Ask
from tests.unit.apiserver.sequences.access import access
from tests.unit.apiserver.sequences.deletions import deletions, namespaces
from tests.unit.apiserver.sequences.lists import lists, pages
from tests.unit.apiserver.sequences.paths import plain
from tests.unit.apiserver.sequences.subresources import of_pods, scales
from tests.unit.apiserver.sequences.tokens import tokens
from tests.unit.apiserver.sequences.watches import watches
from tests.unit.apiserver.sequences.writes import writes

FAMILIES = (lists, pages, watches, deletions, writes, namespaces, scales, of_pods, tokens, access, plain)


def sequence(seed: int) -> list[Ask]:
    """The requests of a seed; every family comes up once in as many seeds as there are families."""
    return FAMILIES[seed % len(FAMILIES)](random.Random(seed), seed)
