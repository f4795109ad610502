"""GPU node sizes by cloud; names are looked up without regard to case."""

from __future__ import annotations

from functools import cache

from kaito.api.gpu import GpuConfig
from kaito.api.quantity import parse_quantity
from kaito.catalog.presets import read_table

CLOUDS = ("azure", "aws", "arc")


class UnknownSku(LookupError):
    """No such size, or no such cloud; the message is Kaito's."""


@cache
def _load() -> dict[str, dict[str, GpuConfig]]:
    document = read_table("skus.yaml")
    tables: dict[str, dict[str, GpuConfig]] = {}
    for table, entries in document.items():
        tables[table] = {
            entry["name"].lower(): GpuConfig(
                sku=entry["name"],
                gpu_count=entry["gpus"],
                memory_bytes=int(parse_quantity(entry["memory"])),
                model=entry["model"],
                nvme=entry.get("nvme", False),
                cuda=entry["cuda"],
                vcpus=entry.get("vcpus", 0),
                ram_gib=entry.get("ram", 0),
                family=entry.get("family", ""),
                seed_era=table == "seed",
            )
            for entry in entries
        }
    return tables


def _check_cloud(cloud: str) -> None:
    if not cloud:
        raise UnknownSku("missing field(s): CLOUD_PROVIDER environment variable must be set")
    if cloud not in CLOUDS:
        raise UnknownSku(f"invalid value: Unsupported cloud provider {cloud}: CLOUD_PROVIDER")


def sku_names(cloud: str) -> list[str]:
    """The sizes of `cloud`: Kaito 0.12's sorted, then on Azure the seed era's; UnknownSku for an unknown cloud."""
    return [config.sku for config in sorted(all_skus(cloud), key=lambda config: (config.seed_era, config.sku))]


def find_sku(cloud: str, name: str) -> GpuConfig | None:
    """The size `name` of `cloud`, None where there is none; on Azure the sizes of Kaito's first releases count too.

    Raises UnknownSku for an unknown cloud.
    """
    _check_cloud(cloud)
    tables = _load()
    found = tables[cloud].get(name.lower())
    if found is None and cloud == "azure":
        found = tables["seed"].get(name.lower())
    return found


def sku(cloud: str, name: str) -> GpuConfig:
    """Like find_sku, but raises UnknownSku for an unknown size too."""
    try:
        found = find_sku(cloud, name)
    except UnknownSku as error:
        raise UnknownSku(f"invalid value: Failed to get SKU handler: {error}: sku") from error
    if found is None:
        raise UnknownSku(f"invalid value: Unsupported SKU '{name}' for cloud provider: sku")
    return found


def known_anywhere(name: str) -> bool:
    """Whether any table knows the size."""
    return any(name.lower() in table for table in _load().values())


def all_skus(cloud: str = "azure") -> list[GpuConfig]:
    """Every size of `cloud`, current ones first."""
    _check_cloud(cloud)
    tables = _load()
    return [*tables[cloud].values(), *(tables["seed"].values() if cloud == "azure" else ())]
