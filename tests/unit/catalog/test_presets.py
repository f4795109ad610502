"""Names of base models, and what their facts are used for."""

from __future__ import annotations

import pytest

from kaito.catalog import UnknownPreset, UnknownSku, load_presets, resolve, sku
from kaito.catalog.presets import is_valid_name
from kaito.catalog.skus import all_skus, known_anywhere

FAMILIES = {"phi3", "llama", "mistral", "qwen2", "falcon", "gemma"}


def test_an_alias_its_id_and_any_case_are_the_same_preset() -> None:
    preset = resolve("phi-3-mini-128k-instruct")
    assert preset is resolve("microsoft/Phi-3-mini-128k-instruct")
    assert preset is resolve("MICROSOFT/phi-3-MINI-128k-instruct")
    assert (preset.family, preset.name, preset.tunable) == ("phi3", "phi-3-mini-128k-instruct", True)


def test_every_model_has_a_tiny_stand_in() -> None:
    assert {preset.family for preset in load_presets().by_id.values()} <= FAMILIES


@pytest.mark.parametrize("name", ["nope", "", "falcon-7b", "phi-2"])
def test_an_unknown_short_name_is_refused_by_name(name: str) -> None:
    assert not is_valid_name(name)
    with pytest.raises(UnknownPreset, match="model is not registered: "):
        resolve(name)


def test_a_repository_outside_the_catalog_is_a_valid_name_but_unknown() -> None:
    assert is_valid_name("acme/model")
    with pytest.raises(UnknownPreset, match="acme/model is not one of the 60 models"):
        resolve("acme/model")


@pytest.mark.parametrize("name", ["Standard_NC6s_v3", "standard_nc12s_v3", "Standard_ND96asr_v4"])
def test_the_quick_starts_sizes_are_known_on_azure_only(name: str) -> None:
    assert sku("azure", name).seed_era
    assert known_anywhere(name)
    with pytest.raises(UnknownSku, match="Unsupported SKU"):
        sku("aws", name)


def test_no_size_is_listed_twice() -> None:
    names = [config.sku.lower() for config in all_skus("azure")]
    assert len(names) == len(set(names))
