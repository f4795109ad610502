from pathlib import Path

import pytest
from kaito_runtime.errors import BadConfig
from kaito_runtime.mirrors import MirrorMap, load_mirrors, parse_mirrors

TEXT = """
urls:
  https://huggingface.co/datasets/x/train.parquet: /data/train.parquet
  https://huggingface.co/datasets/: /data/all
  https://huggingface.co/microsoft/Phi-3-mini-128k-instruct/: tiny:phi3
registries:
  "*.azurecr.io": http://127.0.0.1:5001/{host}
  special.azurecr.io: https://elsewhere
"""


@pytest.fixture
def mirrors() -> MirrorMap:
    return parse_mirrors(TEXT, source="mirrors.yaml")


def joined(mirrors: MirrorMap, url: str) -> str | None:
    target = mirrors.find(url)
    return target.joined if target else None


def test_the_longest_prefix_wins(mirrors: MirrorMap) -> None:
    url = "https://huggingface.co/datasets/x/train.parquet"
    assert joined(mirrors, url) == "/data/train.parquet"
    assert joined(mirrors, url + "?download=true") == "/data/train.parquet"
    assert joined(mirrors, "https://HuggingFace.co/datasets/x/train.parquet") == "/data/train.parquet"
    assert joined(mirrors, "https://huggingface.co/datasets/y/z.csv?a=b") == "/data/all/y/z.csv"


def test_a_prefix_without_slash_maps_that_address_only(mirrors: MirrorMap) -> None:
    assert joined(mirrors, "https://huggingface.co/datasets/x/train.parquet/more") == "/data/all/x/train.parquet/more"
    assert joined(mirrors, "https://huggingface.co/other") is None


def test_a_repository_is_found_by_its_name(mirrors: MirrorMap) -> None:
    assert mirrors.find_repository("microsoft/Phi-3-mini-128k-instruct") == "tiny:phi3"
    assert mirrors.find_repository("microsoft/Phi-3-mini-128k") is None


def test_a_registry_is_found_by_glob_and_the_exact_host_wins(mirrors: MirrorMap) -> None:
    assert mirrors.registry_base("team.azurecr.io") == "http://127.0.0.1:5001/team.azurecr.io"
    assert mirrors.registry_base("special.azurecr.io") == "https://elsewhere"
    assert mirrors.registry_base("a.b.azurecr.io") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("url: {}", "unknown key 'url'.*did you mean urls"),
        ("urls: [a]", "urls must be a mapping"),
        ("urls: {'https://h/': relative}", "no absolute path"),
        ("urls: {'ftp://h/': /x}", "not an http"),
        ("registries: {a: b}", "not an http"),
        ("a: [", "m.yaml:1.*not YAML"),
        ("- a", "must be a mapping"),
    ],
)
def test_a_wrong_map_is_refused_with_file_and_key(text: str, words: str) -> None:
    with pytest.raises(BadConfig, match=words):
        parse_mirrors(text, source="m.yaml")


def test_the_file_is_found_beneath_the_containers_root(tmp_path: Path) -> None:
    (tmp_path / "mnt").mkdir()
    (tmp_path / "mnt" / "m.yaml").write_text(TEXT)
    environment = {"KAITO_MIRRORS": "/mnt/m.yaml", "KAITO_CONTAINER_ROOT": str(tmp_path)}
    assert load_mirrors(environment).find_repository("microsoft/Phi-3-mini-128k-instruct") == "tiny:phi3"
    with pytest.raises(BadConfig, match="cannot be read"):
        load_mirrors({"KAITO_MIRRORS": str(tmp_path / "missing")})
    (tmp_path / "latin1").write_bytes(b"\xe4")
    with pytest.raises(BadConfig, match="is not UTF-8 text"):
        load_mirrors({"KAITO_MIRRORS": str(tmp_path / "latin1")})
    assert load_mirrors({}) == MirrorMap()
