"""Go's words for texts that are no JSON (each was checked against encoding/json through a kube-apiserver)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaito.embedded.apiserver.go_json import syntax_error


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "unexpected end of JSON input"),
        (b"RAW{", "invalid character 'R' looking for beginning of value"),
        (b'{"a"', "unexpected end of JSON input"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b"{a}", "invalid character 'a' looking for beginning of object key string"),
        (b'{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
        (b"[1 2]", "invalid character '2' after array element"),
        (b"[1,]", "invalid character ']' looking for beginning of value"),
        (b"{} x", "invalid character 'x' after top-level value"),
        (b"tru_", "invalid character '_' in literal true (expecting 'e')"),
        (b'"\\x"', "invalid character 'x' in string escape code"),
        (b"-x", "invalid character 'x' in numeric literal"),
        (b"1.x", "invalid character 'x' after decimal point in numeric literal"),
        (b"\xc7", "invalid character '\u00c7' looking for beginning of value"),
    ],
)
def test_the_message_is_go_s(text: bytes, words: str) -> None:
    assert syntax_error(text) == words


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_json_has_no_error(value: object) -> None:
    assert syntax_error(json.dumps(value).encode()) is None


@given(st.binary(max_size=40))
def test_any_bytes_get_an_answer_that_agrees_with_python(text: bytes) -> None:
    try:
        json.loads(text.decode("utf-8"), parse_constant=lambda _: (_ for _ in ()).throw(ValueError()))
        fine = True
    except (ValueError, RecursionError):
        fine = False
    if fine:
        assert syntax_error(text) is None
