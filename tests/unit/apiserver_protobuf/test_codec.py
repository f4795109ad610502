"""Protobuf bodies: real ones are read and written as they were, broken ones are refused and never crash."""

from __future__ import annotations

import base64
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaito.embedded.apiserver.protobuf.decoding import MAGIC, decode, envelope
from kaito.embedded.apiserver.protobuf.encoding import encode
from kaito.embedded.apiserver.protobuf.wire import ProtobufError
from kaito.embedded.apiserver.schemas.decoding import decode as decode_json

# (object as JSON, its protobuf body) as a kube-apiserver 1.34.4 answered them, one of nearly every kind.
REAL: list[list[Any]] = json.loads((Path(__file__).parent / "data" / "real-1.34.json").read_text())
KINDS = sorted({(entry[0]["apiVersion"], entry[0]["kind"]) for entry in REAL})


@pytest.mark.parametrize("entry", REAL, ids=lambda entry: f"{entry[0]['apiVersion']}-{entry[0]['kind']}")
def test_a_real_body_is_read_and_written_as_it_was(entry: list[Any]) -> None:
    obj, body = entry[0], base64.b64decode(entry[1])
    read = decode(body)
    assert decode_json(read, read["apiVersion"], read["kind"]).object == obj
    if obj["kind"] != "ControllerRevision":  # its raw data keeps the client's white space
        assert encode(obj) == body


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for body in (data, MAGIC + data):
        with contextlib.suppress(ProtobufError):
            assert isinstance(decode(body), dict)


@given(st.sampled_from(KINDS), st.binary(max_size=200))
def test_any_message_of_a_known_kind_is_read_or_refused(kind: tuple[str, str], data: bytes) -> None:
    with contextlib.suppress(ProtobufError):
        assert decode(envelope(*kind, data))["kind"] == kind[1]


@given(st.sampled_from(REAL), st.integers(0, 5000), st.integers(0, 255))
def test_a_real_body_with_one_byte_changed_is_read_or_refused(entry: list[Any], at: int, byte: int) -> None:
    body = bytearray(base64.b64decode(entry[1]))
    body[at % len(body)] = byte
    with contextlib.suppress(ProtobufError):
        decode(bytes(body))


def test_delete_options_are_read_in_any_group() -> None:
    options = {
        "apiVersion": "apps/v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Background",
        "gracePeriodSeconds": 0,
    }
    assert decode(encode(options)) == options


def test_a_zero_that_a_pointer_put_there_is_kept() -> None:
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"replicas": 0}}
    assert decode(encode(deployment))["spec"]["replicas"] == 0


def test_a_body_without_the_prefix_is_refused() -> None:
    with pytest.raises(ProtobufError, match="does not appear to be a protobuf message"):
        decode(b"{}")
