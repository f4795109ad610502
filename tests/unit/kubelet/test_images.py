"""The image table: references, entries, user files."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaito.embedded.kubelet.images import DEFAULT_TABLE, ImageReference, ImageTable, ImageTableError, InvalidImageName


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("curlimages/curl", "docker.io/curlimages/curl:latest"),
        ("docker.io/curlimages/curl:8.1", "docker.io/curlimages/curl:8.1"),
        ("localhost/x", "localhost/x:latest"),
        ("localhost:5000/a/b:v1", "localhost:5000/a/b:v1"),
        ("mycr.azurecr.io/adapter@sha256:" + "a" * 64, "mycr.azurecr.io/adapter@sha256:" + "a" * 64),
        ("index.docker.io/library/python:3.11", "docker.io/library/python:3.11"),
    ],
)
def test_a_reference_gets_docker_s_defaults(text, normal):
    assert str(ImageReference.parse(text)) == normal


@pytest.mark.parametrize(
    "text", ["", "UPPER", "a/UPPER", "a.b/UPPER:x", "a b", "x:", ":tag", "x@sha256:12", "a//b", "-x", "x:" + "t" * 129]
)
def test_what_is_no_reference_is_refused(text):
    with pytest.raises(InvalidImageName, match="couldn't parse image name"):
        ImageReference.parse(text)


@pytest.mark.parametrize(
    ("text", "name"), [("UPPER:x", "library/UPPER"), ("a/UPPER", "a/UPPER"), ("a.b/c/UPPER:x", "c/UPPER")]
)
def test_capital_letters_are_named(text, name):
    with pytest.raises(
        InvalidImageName, match=rf"invalid reference format: repository name \({name}\) must be lowercase"
    ):
        ImageReference.parse(text)


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused_and_a_parsed_one_parses_again(text):
    try:
        reference = ImageReference.parse(text)
    except InvalidImageName:
        return
    assert ImageReference.parse(str(reference)) == reference


@pytest.mark.parametrize(
    "reference",
    [
        "ghcr.io/kaito-testbed/kaito-runtime:0.1.0",
        "curlimages/curl",
        "docker.io/curlimages/curl:8.10.1",
        "busybox:1.36",
        "alpine",
        "debian:bookworm-slim",
        "python:3.11-slim",
        "registry.k8s.io/pause:3.10",
        "mcr.microsoft.com/oss/kubernetes/pause:3.6",
        "mcr.microsoft.com/aks/skopeo:1.14.4-6",
        "ghcr.io/oras-project/oras:v1.2.2",
        "mcr.microsoft.com/aks/kaito/kaito-base:0.5.0",
        "mycr.azurecr.io/kaito-base:0.5.0",
    ],
)
def test_the_shipped_table_knows(reference):
    assert ImageTable.load().find(reference) is not None


def test_an_unknown_image_is_advised_with_its_name_and_the_file_to_extend():
    table = ImageTable.load()
    assert table.find("example.com/nope:1") is None
    assert "example.com/nope:1" in table.advice("example.com/nope:1")
    assert str(DEFAULT_TABLE) in table.advice("example.com/nope:1")


def test_the_runtime_image_finds_its_program_beside_the_running_python():
    image = ImageTable.load().find("ghcr.io/kaito-testbed/kaito-runtime:1")
    assert image.search_path("/bin").split(":") == [str(Path(sys.executable).parent), "/bin"]
    assert image.paths == "native"
    assert image.argv(None, ["tune"]) == ["kaito-runtime", "tune"]


def test_entries_of_a_user_s_table_come_first_and_its_file_is_the_one_to_extend(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "images:\n- match: [busybox, 'mycr.azurecr.io/*:v1']\n  path: '{table}/bin'\n  entrypoint: [mine]\n"
        "  command: [now]\n  env: {A: 1}\n"
    )
    table = ImageTable.load(file)
    image = table.find("busybox")
    assert image.argv(None, None) == ["mine", "now"]
    assert image.argv(None, ["later"]) == ["mine", "later"]
    assert image.argv(["sh"], None) == ["sh"]
    assert image.path == (f"{tmp_path}/bin",)
    assert image.env == {"A": "1"}
    assert table.find("mycr.azurecr.io/x/y:v1") is image
    assert table.find("mycr.azurecr.io/x/y:v2") is None
    assert str(file) in table.advice("x")


def test_a_missing_program_is_named(tmp_path):
    file = tmp_path / "t.yaml"
    file.write_text("images: [{match: x, requires: no-such-program}]\n")
    table = ImageTable.load(file)
    assert table.missing_program(table.find("x"), "/bin:/usr/bin") == "no-such-program"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("images: [", "line 1 is not YAML"),
        ("- a", "expected one key `images`"),
        ("images: [{}]", r"images\[0\]: `match` must name"),
        ("images: [{match: a, comand: x}]", r"images\[0\]: unknown key 'comand'"),
        ("images: [{match: [1]}]", "`match` must be a string or a list of strings"),
        ("images: [{match: a, paths: x}]", "`paths` must be native or rewritten"),
        ("images: [{match: a, programs: {a/b: x}}]", "`programs` must map names"),
        ("images: [1]", r"images\[0\] must be a mapping"),
        ("images: [{match: a, env: [x]}]", "`env` must be a mapping"),
    ],
)
def test_a_bad_table_is_refused_in_one_sentence_that_names_the_file(tmp_path, content, sentence):
    file = tmp_path / "bad.yaml"
    file.write_text(content)
    with pytest.raises(ImageTableError, match=sentence) as raised:
        ImageTable.load(file)
    assert str(file) in str(raised.value)


def test_a_table_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ImageTableError, match="cannot be read"):
        ImageTable.load(tmp_path / "none.yaml")
