"""Label and field selectors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaito.embedded.apiserver.errors import StatusError
from kaito.embedded.apiserver.selectors import parse_field_selector, parse_label_selector

LABELS = {"app": "a", "tier": "3", "empty": ""}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=a", True),
        ("app==a", True),
        ("app!=a", False),
        ("missing!=a", True),
        ("app in (a, b)", True),
        ("app notin (a)", False),
        ("missing notin (a)", True),
        ("app", True),
        ("!app", False),
        ("!missing", True),
        ("tier>2", True),
        ("tier<2", False),
        ("app>2", False),
        ("empty=", True),
        ("empty", True),
        ("app=a,tier", True),
        ("app=a, !tier", False),
        ("in in (in)", False),
        ("app in (,a)", True),
    ],
)
def test_a_label_selector_matches(text: str, matches: bool) -> None:
    assert parse_label_selector(text).matches(LABELS) is matches


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a===b", "unable to parse requirement: found '=', expected: identifier"),
        (",", "found ',', expected: !, identifier, or 'end of string'"),
        ("a,,b", "found ',', expected: identifier after ','"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a>x", "for 'Gt', 'Lt' operators, the value must be an integer"),
        ("-a", "name part must consist of alphanumeric characters"),
        ("a=-b", "a valid label must be an empty string or consist of"),
    ],
)
def test_a_bad_label_selector_is_a_400_with_the_words_of_kubernetes(text: str, words: str) -> None:
    with pytest.raises(StatusError) as refused:
        parse_label_selector(text)
    assert refused.value.code == 400
    assert words in refused.value.message


@given(st.text(max_size=30))
def test_any_text_parses_or_is_a_400(text: str) -> None:
    for parse in (parse_label_selector, parse_field_selector):
        try:
            parse(text)
        except StatusError as refused:
            assert refused.code == 400


def test_a_field_selector_compares_text_and_knows_escapes() -> None:
    selector = parse_field_selector(r"a=x\,y,b!=z")
    assert selector.matches(lambda field: {"a": "x,y", "b": "q"}[field])
    assert not selector.matches(lambda field: {"a": "x,y", "b": "z"}[field])
    assert selector.value_of("a") == "x,y"
