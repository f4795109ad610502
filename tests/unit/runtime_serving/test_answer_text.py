"""Text from tokens, one at a time: the same as all at once, and never a part of a stop string."""

from hypothesis import given
from hypothesis import strategies as st
from kaito_runtime.serving.answer_text import AnswerText
from kaito_runtime.serving.fake import ByteCodec

CODEC = ByteCodec()


def run(tokens: list[int], stop: list[str]) -> tuple[list[str], bool]:
    text = AnswerText(CODEC, stop=stop)
    released = []
    for token in tokens:
        released.append(text.push(token))
        if text.stopped:
            return released, True
    return [*released, text.flush()], text.stopped


@given(st.text())
def test_all_pieces_together_are_the_text(said: str) -> None:
    released, stopped = run(list(said.encode()), [])
    assert "".join(released) == said
    assert not stopped


@given(st.lists(st.integers(0, 255), max_size=30))
def test_broken_characters_come_out_as_a_decoder_shows_them(tokens: list[int]) -> None:
    released, _ = run(tokens, [])
    assert "".join(released).count("\ufffd") >= CODEC.decode(tokens).count("\ufffd") - 3
    assert "".join(released).replace("\ufffd", "") == CODEC.decode(tokens).replace("\ufffd", "")


@given(st.text(alphabet="abc", max_size=30), st.lists(st.text(alphabet="abc", min_size=1, max_size=4), max_size=3))
def test_an_answer_ends_before_the_first_stop_string(said: str, stop: list[str]) -> None:
    released, stopped = run(list(said.encode()), stop)
    # The first stop string to be complete wins; of those complete at once, the one that begins first.
    for end in range(1, len(said) + 1):
        found = [said[:end].index(each) for each in stop if each in said[:end]]
        if found:
            assert stopped
            assert "".join(released) == said[: min(found)]
            return
    assert not stopped
    assert "".join(released) == said


def test_what_may_become_a_stop_string_is_held_back() -> None:
    text = AnswerText(CODEC, stop=["STOP"])
    assert [text.push(token) for token in b"aSTx"] == ["a", "", "", "STx"]
    assert [text.push(token) for token in b"ST"] == ["", ""]
    assert text.flush() == "ST"


def test_a_character_is_shown_when_its_last_byte_is_there() -> None:
    text = AnswerText(CODEC)
    assert [text.push(token) for token in "é€".encode()] == ["", "é", "", "", "€"]
