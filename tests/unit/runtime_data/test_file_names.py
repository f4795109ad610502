from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kaito_runtime.downloading.names import distinct, file_name
from kaito_runtime.errors import UsageFailure


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://huggingface.co/datasets/x/resolve/main/data/train.parquet?download=true", "train.parquet"),
        ("http://h/a/b.json#part", "b.json"),
        ("HTTPS://h/data.csv", "data.csv"),
        ("http://h/my%20file.csv", "my file.csv"),
    ],
)
def test_a_file_is_named_by_the_end_of_its_path(url: str, name: str) -> None:
    assert file_name(url) == name


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1",
        "http://h:99999/x",
        "http://me:pw@h:x/y",
        "ftp://h/x",
        "file:///etc/passwd",
        "http:///x",
        "http://h",
        "http://h/",
        "http://h/a%2f..%2fb",
        "http://h/..",
    ],
)
def test_an_address_that_names_no_file_is_refused(url: str) -> None:
    with pytest.raises(UsageFailure) as caught:
        file_name(url)
    assert "pw" not in str(caught.value)


@settings(deadline=None)  # a busy machine is no failure
@given(st.text(st.characters(codec="utf-8")))
def test_no_name_leaves_the_folder(text: str) -> None:
    try:
        name = file_name("http://host/" + text)
    except UsageFailure:
        return
    assert name == PurePosixPath(name).name
    assert name not in ("", ".", "..")


def test_files_of_one_name_are_numbered() -> None:
    assert distinct(["a.csv", "b", "a.csv", "a.csv"]) == ["a.csv", "b", "a-2.csv", "a-3.csv"]
