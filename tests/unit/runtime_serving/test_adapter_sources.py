"""Which adapters are served and how strong."""

import json
import logging
from pathlib import Path

import pytest
from kaito_runtime.errors import BadConfig, BadData, NotFound, UsageFailure
from kaito_runtime.serving.adapters import AdapterSource, gather


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).mkdir(parents=True)
        (root / name / "adapter_config.json").write_text("{}")
        (root / name / "adapter_model.safetensors").write_text("")
    return root


def strengths(sources: list[AdapterSource]) -> dict[str, float]:
    return {source.name: source.strength for source in sources}


def test_every_sub_folder_with_a_config_is_an_adapter(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    make(tmp_path, "b", "a")
    (tmp_path / "notes").mkdir()
    (tmp_path / "file").write_text("x")
    sources = gather([], tmp_path, {})
    assert [(source.name, source.folder) for source in sources] == [("a", tmp_path / "a"), ("b", tmp_path / "b")]
    assert strengths(sources) == {"a": 1.0, "b": 1.0}
    assert "notes is not an adapter folder" in caplog.text


def test_a_missing_folder_means_no_adapters(tmp_path: Path) -> None:
    assert gather([], tmp_path / "nowhere", {}) == []


def test_files_below_data_are_found_where_a_second_pull_puts_them(tmp_path: Path) -> None:
    make(tmp_path / "a", "data")
    assert gather([], tmp_path, {})[0].folder == tmp_path / "a" / "data"


def test_strengths_come_from_the_flag_then_the_list_then_the_adapters_own_variable(tmp_path: Path) -> None:
    make(tmp_path, "one", "two", "three-x", "four")
    environment = {
        "KAITO_ADAPTER_STRENGTHS": json.dumps({"two": 0.5, "one": 0.1, "three-x": "0.25"}),
        "two": "0.9",
        "four": "0.7",
    }
    sources = gather([f"one={tmp_path / 'one'}@0.3", f"alias={tmp_path / 'four'}"], tmp_path, environment)
    assert strengths(sources) == {"one": 0.3, "alias": 1.0, "four": 0.7, "three-x": 0.25, "two": 0.5}


def test_an_at_sign_in_a_folders_name_is_not_a_strength(tmp_path: Path) -> None:
    make(tmp_path, "x@2")
    assert gather([f"a={tmp_path / 'x@2'}"], None, {})[0].strength == 1.0
    assert gather([f"a={tmp_path / 'x@2'}@0.5"], None, {})[0].strength == 0.5


def test_contract_paths_lie_beneath_the_containers_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "mnt" / "adapter", "a")
    monkeypatch.setenv("KAITO_CONTAINER_ROOT", str(tmp_path))
    assert gather(["a=/mnt/adapter/a"], None, {})[0].folder == tmp_path / "mnt/adapter/a"


@pytest.mark.parametrize(
    ("flags", "environment", "error", "says"),
    [
        (["a"], {}, UsageFailure, "NAME=DIR"),
        (["=x"], {}, UsageFailure, "NAME=DIR"),
        (["a=."], {}, NotFound, "not an adapter folder"),
        (["a={root}/one", "a={root}/one"], {}, UsageFailure, "twice"),
        (["a={root}/one@strong"], {}, BadConfig, "'strong'"),
        (["a={root}/one@nan"], {}, BadConfig, "not a number from 0 to 1: 'nan'"),
        (["a={root}/one@-0.5"], {}, BadConfig, "not a number from 0 to 1"),
        ([], {"KAITO_ADAPTER_STRENGTHS": '{"one": 1.5}'}, BadConfig, "not a number from 0 to 1: '1.5'"),
        ([], {"KAITO_ADAPTER_STRENGTHS": "{"}, BadConfig, "not JSON"),
        ([], {"KAITO_ADAPTER_STRENGTHS": "[1]"}, BadConfig, "JSON object"),
        ([], {"KAITO_ADAPTER_STRENGTHS": '{"one": null}'}, BadConfig, "strength of one"),
        ([], {"one": "much"}, BadConfig, "environment variable one"),
    ],
)
def test_mistakes_are_one_sentence(
    tmp_path: Path, flags: list[str], environment: dict[str, str], error: type[Exception], says: str
) -> None:
    make(tmp_path, "one")
    with pytest.raises(error, match=says):
        gather([flag.format(root=tmp_path) for flag in flags], tmp_path, environment)


def test_an_adapter_without_weights_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    make(tmp_path, "one")
    (tmp_path / "one" / "adapter_model.safetensors").unlink()
    with pytest.raises(BadData, match=r"adapter_model\.safetensors does not exist"):
        gather([], tmp_path, {})


def test_a_strength_for_an_adapter_that_is_not_there_is_only_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert gather([], tmp_path, {"KAITO_ADAPTER_STRENGTHS": '{"gone": 1}'}) == []
    assert "gone" in caplog.text
