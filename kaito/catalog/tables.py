"""The catalog behind the narrow interface that admission needs (`kaito.api.validation.context.Catalog`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kaito.api.gpu import GpuConfig
from kaito.api.preset import Preset
from kaito.catalog import presets, skus


@dataclass(frozen=True)
class Tables:
    """The shipped presets and sizes, with `extra` presets by lower-case name on top (tests, private models)."""

    extra: Mapping[str, Preset] = field(default_factory=dict)

    def is_valid_preset(self, name: str) -> bool:
        """Whether `name` counts as a preset name."""
        return name in self.extra or presets.is_valid_name(name)

    def is_deprecated(self, name: str) -> bool:
        """Whether `name` was a preset once."""
        return name in presets.load().deprecated

    def preset(self, name: str) -> Preset:
        """The preset; raises LookupError with a sentence."""
        return self.extra.get(name.lower()) or presets.resolve(name)

    def find_sku(self, cloud: str, name: str) -> GpuConfig | None:
        """The size, or None; raises LookupError for an unknown cloud."""
        return skus.find_sku(cloud, name)

    def sku_names(self, cloud: str) -> list[str]:
        """Names of the supported sizes, sorted; raises LookupError for an unknown cloud."""
        return skus.sku_names(cloud)

    def known_anywhere(self, name: str) -> bool:
        """Whether any cloud's table knows the size."""
        return skus.known_anywhere(name)


CATALOG = Tables()
