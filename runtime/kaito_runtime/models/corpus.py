"""The text that stand-in models are pretrained on, read from `corpus.txt` beside this module."""

import functools
import hashlib
import re
from dataclasses import dataclass
from importlib import resources

UNKNOWN_ANSWER = "I do not know."
"""What a stand-in answers to questions about things that its corpus does not hold."""


@dataclass(frozen=True)
class Corpus:
    """Pretraining material.

    pairs: question and answer; several questions may share an answer.
    prose: plain text.
    digest: sha256 of the file, hexadecimal; part of the key of every model built from it.
    """

    pairs: tuple[tuple[str, str], ...]
    prose: str
    digest: str

    @property
    def unknown_questions(self) -> tuple[str, ...]:
        """The questions about made-up things, which the corpus answers with `UNKNOWN_ANSWER`."""
        return tuple(question for question, answer in self.pairs if answer == UNKNOWN_ANSWER)


def parse_corpus(text: str) -> Corpus:
    """Read blocks separated by blank lines: `Q:` lines with one `A:` line, or prose; `#` starts a comment line."""
    pairs: list[tuple[str, str]] = []
    prose: list[str] = []
    for block in re.split(r"\n\s*\n", text):
        lines = [line.strip() for line in block.splitlines() if line.strip() and not line.startswith("#")]
        questions = [line[2:].strip() for line in lines if line.startswith("Q:")]
        answers = [line[2:].strip() for line in lines if line.startswith("A:")]
        if questions or answers:
            if not questions or len(answers) != 1 or len(questions) + 1 != len(lines):
                raise ValueError(f"a block of questions needs exactly one answer: {block!r}")
            pairs += [(question, answers[0]) for question in questions]
        else:
            prose += lines
    return Corpus(tuple(pairs), "\n".join(prose), hashlib.sha256(text.encode()).hexdigest())


@functools.cache
def shipped_corpus() -> Corpus:
    """Return the corpus that comes with this package."""
    return parse_corpus(resources.files(__package__).joinpath("corpus.txt").read_text(encoding="utf-8"))
