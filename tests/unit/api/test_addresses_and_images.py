"""Dataset addresses, image references, names and quantities: rules beyond the recorded rows."""

from __future__ import annotations

import contextlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaito.api.quantity import QuantityError, format_binary, parse_quantity
from kaito.api.validation.data import parse_go_float
from kaito.api.validation.names import label_problems, subdomain_problems
from kaito.api.validation.references import ImageReferenceError, check_reference
from kaito.api.validation.urls import check_data_url

LOCAL = "data source URL must not target a local or metadata endpoint"
INSIDE = "data source URL must not target a loopback, private, or link-local address"


@pytest.mark.parametrize(
    ("url", "finding"),
    [
        ("https://huggingface.co/datasets/x/resolve/main/data/train.parquet?download=true", ""),
        ("HTTP://example.com", ""),
        ("https://user:password@example.com:8443/a%20b", ""),
        ("https://[2001:db8::1]/a", ""),
        ("https://172.32.0.1/a", ""),
        ("file:///etc/passwd", "invalid data source URL"),
        ("ftp://example.com/a", "data source URL must use HTTP or HTTPS"),
        ("example.com/a", "invalid data source URL"),
        ("https://exa mple.com", "invalid data source URL"),
        ("https://example.com/%zz", "invalid data source URL"),
        ("https://example.com:port/", "invalid data source URL"),
        ("https://example.com/\n", "invalid data source URL"),
        ("http://LOCALHOST:80/", LOCAL),
        ("http://a.localhost/", LOCAL),
        ("http://metadata.google.internal/", LOCAL),
        ("http://127.9.9.9/", INSIDE),
        ("http://[::1]/", INSIDE),
        ("http://[::ffff:10.0.0.1]/", INSIDE),
        ("http://169.254.169.254/latest", INSIDE),
        ("http://[fe80::1%25eth0]/", INSIDE),
        ("http://172.31.255.255/", INSIDE),
        ("http://[fd00::1]/", INSIDE),
    ],
)
def test_dataset_addresses(url: str, finding: str) -> None:
    assert str(check_data_url(url)) == (f"invalid value: {finding}: URLs" if finding else "")


@pytest.mark.parametrize(
    "image",
    [
        "alpine",
        "alpine:3.20",
        "acme.azurecr.io/tuned/phi3:0.0.1",
        "localhost:5000/a__b/c-d:T_1",
        "ghcr.io/a/b@sha256:" + "0" * 64,
        "[2001:db8::1]:5000/a/b:c",
    ],
)
def test_image_references(image: str) -> None:
    check_reference(image)


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        ("", "invalid reference format"),
        ("acme.azurecr.io/Tuned:1", r"repository name \(Tuned\) must be lowercase"),
        ("a/b:c:d", "invalid reference format"),
        ("a b", "invalid reference format"),
        ("a@sha256:abc", "invalid reference format"),
        ("a@sha256:" + "0" * 40, "invalid checksum digest length"),
        ("a@md5:" + "0" * 32, "unsupported digest algorithm"),
        ("0" * 64, "cannot specify 64-byte hexadecimal strings"),
        ("x/" + "a" * 256, "must not be more than 255 characters"),
    ],
)
def test_what_is_no_image_reference(image: str, problem: str) -> None:
    with pytest.raises(ImageReferenceError, match=problem):
        check_reference(image)


@given(st.text(max_size=40))
def test_any_text_is_judged_without_an_accident(text: str) -> None:
    check_data_url(text)
    parse_go_float(text)
    label_problems(text)
    subdomain_problems(text)
    with contextlib.suppress(ImageReferenceError):
        check_reference(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("1.5Gi", Fraction(3, 2) * 2**30), ("100m", Fraction(1, 10)), ("1e3", 1000), ("-2k", -2000), ("1.", 1)],
)
def test_quantities(text: str, value: object) -> None:
    assert parse_quantity(text) == value


@pytest.mark.parametrize("text", ["", "x", "1KiB", "--1", "1..2", "1e", "Gi"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(QuantityError, match="quantities must match the regular expression"):
        parse_quantity(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (80 * 2**30, "80Gi"),
        (-80 * 2**30, "-80Gi"),
        (1023, "1023"),
        (1000, "1k"),
        (1025, "1025"),
        (Fraction("27.31") * 2**30, "29323889213440m"),
    ],
)
def test_quantities_print_as_in_kubernetes(value: Fraction | int, text: str) -> None:
    assert format_binary(value) == text


@given(st.integers(-(2**62), 2**62))
def test_what_is_printed_reads_back(value: int) -> None:
    assert parse_quantity(format_binary(value)) == value


@pytest.mark.parametrize(
    ("text", "value", "problem"),
    [
        ("0.5", 0.5, ""),
        ("0x1p-1", 0.5, ""),
        ("1_0", 10.0, ""),
        ("1e400", float("inf"), 'strconv.ParseFloat: parsing "1e400": value out of range'),
        ("_1", 0.0, 'strconv.ParseFloat: parsing "_1": invalid syntax'),
        (" 1", 0.0, 'strconv.ParseFloat: parsing " 1": invalid syntax'),
        ('"', 0.0, 'strconv.ParseFloat: parsing "\\"": invalid syntax'),
    ],
)
def test_numbers_read_as_in_go(text: str, value: float, problem: str) -> None:
    assert parse_go_float(text) == (value, problem)


def test_names_are_labels_and_the_problem_is_told_as_in_kubernetes() -> None:
    assert label_problems("workspace-1") == []
    assert label_problems("a.b") == ["must not contain dots"]
    assert label_problems("x" * 64) == ["must be no more than 63 characters"]
    assert "RFC 1123 label" in label_problems("Bad_Name")[0]
    assert subdomain_problems("a.b") == []
    assert "RFC 1123 subdomain" in subdomain_problems("a..b")[0]
