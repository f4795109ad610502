"""From rows to examples: conversations, questions with answers, instructions, plain text; columns mapped by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from kaito_runtime.errors import BadData
from kaito_runtime.tuning.reading import Row
from kaito_runtime.tuning.sections import DatasetConfig

Kind = Literal["messages", "prompt-completion", "instruction", "text"]

_ROLES: Final = frozenset({"system", "developer", "user", "assistant", "tool", "function"})


@dataclass(frozen=True)
class Example:
    """One thing to learn: a conversation, or else plain text.

    messages: turns of {role, content}; the assistant's turns are the answers. text: None for a conversation.
    place: file and row, for messages.
    """

    place: str
    messages: tuple[dict[str, Any], ...] = ()
    text: str | None = None


@dataclass(frozen=True)
class Columns:
    """Which columns of the data mean what. asked: the parts of the question, joined by an empty line."""

    kind: Kind
    asked: tuple[str, ...] = ()
    answer: str = ""


def choose_columns(available: Sequence[str], config: DatasetConfig, given: frozenset[str], *, source: str) -> Columns:
    """Return what the columns mean: as the configuration says, else by the usual names.

    Raises BadData naming the missing column and those that there are.
    """

    def expect(name: str, key: str) -> str:
        if name not in available:
            raise BadData(
                f"{source}: column {name!r} (DatasetConfig.{key}) does not exist; there are {_listed(available)}"
            )
        return name

    if config.messages_column:
        return Columns("messages", answer=expect(config.messages_column, "messages_column"))
    if config.context_column:
        asked = (expect(config.context_column, "context_column"),)
        answer = config.response_column if "response_column" in given else _first(available, "response", "completion")
        return Columns("prompt-completion", asked, expect(answer or config.response_column, "response_column"))
    if "response_column" in given:
        if config.response_column in available and config.response_column in ("response", "completion"):
            return _usual(available, source)
        return Columns("text", answer=expect(config.response_column, "response_column"))
    return _usual(available, source)


def _usual(available: Sequence[str], source: str) -> Columns:
    if "messages" in available:
        return Columns("messages", answer="messages")
    if "prompt" in available and "completion" in available:
        return Columns("prompt-completion", ("prompt",), "completion")
    answer = _first(available, "response", "output")
    if "instruction" in available and answer:
        context = _first(available, "context", "input")
        return Columns("instruction", ("instruction", *([context] if context else [])), answer)
    if "prompt" in available and "response" in available:
        return Columns("prompt-completion", ("prompt",), "response")
    if "text" in available:
        return Columns("text", answer="text")
    raise BadData(
        f"{source}: no usable column: expected messages, or prompt and completion, or instruction and response, or"
        f" text; there are {_listed(available)}. Name yours in DatasetConfig (messages_column, context_column,"
        " response_column)"
    )


def _first(available: Sequence[str], *names: str) -> str | None:
    return next((name for name in names if name in available), None)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "no columns"


def to_example(row: Row, columns: Columns) -> Example:
    """Return the example in `row`. Raises BadData naming file, row and column."""
    if columns.kind == "messages":
        return Example(row.place, _conversation(row, columns.answer))
    if columns.kind == "text":
        return Example(row.place, text=_filled(row, columns.answer))
    answer = row.values.get(columns.answer)
    first = row.values.get(columns.asked[0])
    if isinstance(first, list) and isinstance(answer, list):
        asked, answered = _turns(row, columns.asked[0]), _turns(row, columns.answer)
        return Example(row.place, _with_answer(row, columns.answer, asked + answered))
    parts = [_filled(row, columns.asked[0]), *(_optional(row, name) for name in columns.asked[1:])]
    question = {"role": "user", "content": "\n\n".join(part for part in parts if part)}
    return Example(row.place, (question, {"role": "assistant", "content": _filled(row, columns.answer)}))


def _filled(row: Row, column: str) -> str:
    value = row.values.get(column)
    if column not in row.values:
        raise BadData(f"{row.place}: column {column!r} is missing")
    if _is_blank(value):
        raise BadData(f"{row.place}: column {column!r} is empty")
    if isinstance(value, bool | int | float):
        value = str(value)
    if not isinstance(value, str):
        raise BadData(f"{row.place}: column {column!r} must be text, not {type(value).__name__}")
    return _encodable(value, f"{row.place}: column {column!r}")


def _is_blank(value: Any) -> bool:
    """Whether there is nothing to read: also NaN, which is what data frames write for a missing text."""
    return value is None or value != value or (isinstance(value, str) and not value.strip())


def _encodable(text: str, where: str) -> str:
    """Return `text`. Raises BadData for half of a surrogate pair (JSON's \\ud800), which no tokenizer takes."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadData(f"{where} has a broken character (half of a surrogate pair) at {error.start}") from None
    return text


def _optional(row: Row, column: str) -> str:
    return "" if _is_blank(row.values.get(column)) else _filled(row, column)


def _conversation(row: Row, column: str) -> tuple[dict[str, Any], ...]:
    return _with_answer(row, column, _turns(row, column))


def _turns(row: Row, column: str) -> list[dict[str, Any]]:
    value = row.values.get(column)
    if isinstance(value, str):
        value = _parsed(row, column, value)
    if not isinstance(value, list) or not value:
        raise BadData(f"{row.place}: column {column!r} must be a list of messages with role and content")
    turns = []
    for position, message in enumerate(value):
        where = f"{row.place}: column {column!r}, message {position + 1}"
        if not isinstance(message, Mapping):
            raise BadData(f"{where} is not an object with role and content")
        role, content = message.get("role"), message.get("content")
        if role not in _ROLES:
            raise BadData(f"{where} has the role {role!r}; use system, user, assistant or tool")
        if isinstance(content, list):
            content = _joined(content, where)
        if isinstance(content, str):
            _encodable(content, where)
        elif not message.get("tool_calls"):
            raise BadData(f"{where} has no text in content")
        turns.append({key: item for key, item in {**message, "content": content}.items() if item is not None})
    return turns


def _joined(parts: Sequence[Any], where: str) -> str:
    """Return the text of OpenAI's content parts, joined as in serving. Raises BadData for any other kind of part."""
    texts = [part.get("text") for part in parts if isinstance(part, Mapping) and part.get("type") == "text"]
    if len(texts) != len(parts) or not all(isinstance(text, str) for text in texts):
        raise BadData(f"{where} has content that is not text")
    return " ".join(map(str, texts))


def _parsed(row: Row, column: str, text: str) -> Any:
    """Return the list that a CSV cell holds as JSON."""
    import json

    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadData(f"{row.place}: column {column!r} must be a list of messages (JSON), not plain text") from None


def _with_answer(row: Row, column: str, turns: list[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    if not any(turn["role"] == "assistant" and turn.get("content") for turn in turns):
        raise BadData(f"{row.place}: column {column!r} has no message of the role assistant to learn from")
    return tuple(turns)
