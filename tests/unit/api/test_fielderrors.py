"""Field errors read as knative's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kaito.api.validation.fielderrors import NONE, FieldErrors, generic, invalid, missing

findings = st.lists(st.builds(generic, st.sampled_from("abc"), st.sampled_from(["x", "y", "x.y", ""])), max_size=5)


def test_the_constructors_read_as_in_knative() -> None:
    assert str(invalid("5", "spec.count")) == "invalid value: 5: spec.count"
    assert str(missing("b", "a")) == "missing field(s): a, b"
    assert str(generic("no path")) == "no path: "


def test_prefixes_reach_every_path_and_leave_pathless_findings_alone() -> None:
    errors = (invalid("v", "name") + generic("odd") + missing("", "[0].x")).via("spec.list").via("")
    assert str(errors) == "invalid value: v: spec.list.name\nmissing field(s): spec.list, spec.list[0].x\nodd: "


def test_equal_messages_merge_and_lines_are_sorted() -> None:
    errors = generic("b", "2") + generic("a", "1") + generic("b", "1") + generic("b", "2")
    assert str(errors) == "a: 1\nb: 1, 2"


def test_nothing_is_false_and_empty() -> None:
    assert not NONE
    assert str(NONE) == ""
    assert not NONE.via("x")


@given(findings, findings)
def test_the_order_of_findings_does_not_matter(one: list[FieldErrors], other: list[FieldErrors]) -> None:
    forwards, backwards = NONE, NONE
    for error in one + other:
        forwards += error
    for error in reversed(one + other):
        backwards += error
    assert str(forwards) == str(backwards)
