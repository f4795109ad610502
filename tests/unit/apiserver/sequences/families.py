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


FOUND = (
    0, 3, 4, 5, 6, 8, 9, 10, 11, 13, 16, 17, 18, 20, 21, 24, 25, 29, 37, 38, 43, 44, 50, 51, 53, 54, 57, 59, 61, 65,
    78, 79, 80, 81, 82, 84, 87, 92, 95, 98, 99, 100, 105, 110, 113, 114, 123, 131, 132, 136, 138, 147, 152, 161,
    168, 179, 180, 182, 187, 192, 193, 194, 204, 208, 214, 225, 230, 242, 244, 245, 249, 256, 257, 260, 268, 275,
    293, 295, 303, 304, 311, 321, 326, 336, 340, 366, 367, 370, 379, 382, 387, 390, 405, 423, 428, 431, 432, 440,
    443, 444, 464, 471, 480, 487, 499, 501, 506, 513, 521, 523, 524, 526, 530, 531, 537, 541, 542, 543, 546, 563,
    566, 578, 593, 600, 634, 644, 651, 671, 682, 695, 721, 722, 729, 744, 748, 782, 798, 813, 817, 831, 847, 879,
    886, 887, 895, 902, 909, 913, 924, 940, 948, 960, 971, 974, 982, 983, 996, 1003, 1024, 1027, 1065, 1072, 1078,
    1084, 1088, 1091, 1093, 1094, 1117, 1121, 1122, 1133, 1203, 1221, 1241, 1252, 1257, 1260, 1280, 1364, 1370,
    1386, 1396, 1397, 1412, 1423, 1430, 1433, 1467, 1472, 1476, 1478, 1516, 1522, 1528, 1529, 1597, 1611, 1638,
    1643, 1663, 1675, 1693, 1696, 1742, 1759, 1763, 1815, 1825, 1836, 1837, 1851, 1881, 1976, 1989, 2026, 2039,
    2046, 2048, 2056, 2078, 2094, 2138, 2143, 2156, 2193, 3014, 3365, 3458, 3500, 3566, 3800, 4007, 4703, 5595, 5665,
)  # fmt: skip
"""Seeds that once found a difference, one for each cause."""
KNOWN = {
    839: "a deletion that takes the last finalizer from an object already being deleted answers without that finalizer",
    3340: "a changed ephemeral container is refused without the difference in Go's form",
}
"""Seeds that differ, each with its reason, which docs/embedded.md gives too. Anything else that differs is a fault."""
