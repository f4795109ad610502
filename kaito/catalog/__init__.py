"""Model presets, GPU sizes and the node estimator.

from kaito.catalog import CATALOG, resolve, sku, estimate_nodes, target_node_count
"""

from kaito.catalog.estimator import EstimateError, estimate_nodes, target_node_count
from kaito.catalog.presets import UnknownPreset, resolve, startup_seconds
from kaito.catalog.presets import load as load_presets
from kaito.catalog.skus import UnknownSku, sku, sku_names
from kaito.catalog.tables import CATALOG, Tables

__all__ = [
    "CATALOG",
    "EstimateError",
    "Tables",
    "UnknownPreset",
    "UnknownSku",
    "estimate_nodes",
    "load_presets",
    "resolve",
    "sku",
    "sku_names",
    "startup_seconds",
    "target_node_count",
]
