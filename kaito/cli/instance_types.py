"""`kaito instance-types`: what a Workspace's `instanceType` may be."""

from __future__ import annotations

from kaito.catalog.skus import all_skus
from kaito.operator.settings import OperatorSettings


def print_instance_types() -> None:
    """Print a table of the sizes, Kaito 0.12's first, then those of its first releases."""
    print(f"{'INSTANCE TYPE':<32} {'GPUS':>4} {'GPU MEMORY':>10}  MODEL")
    for size in sorted(all_skus(OperatorSettings().cloud), key=lambda size: (size.seed_era, size.sku)):
        print(f"{size.sku:<32} {size.gpu_count:>4} {size.memory_gib:>6} GiB  {size.model}")
