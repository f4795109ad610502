"""JSON that the real server keeps as the text that was sent (runtime.RawExtension) and compares as such.

The data of a ControllerRevision may never change, and the same data with other spaces between is a change: a client
that puts spaces into its JSON cannot patch the revision that it made, since a patch writes its data without them.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any, Final

import orjson

Json = dict[str, Any]
REMEMBERED: Final = 10_000
DECODER: Final = json.JSONDecoder()
SPACE: Final = " \t\r\n"


class Raw(dict[str, Any]):
    """An object that was sent as `text`, which is not how it is written without spaces."""

    __slots__ = ("text",)

    def __init__(self, members: Json, text: str) -> None:
        super().__init__(members)
        self.text = text


def with_text(obj: Json, body: bytes, name: str) -> Json:
    """The object with its member `name` as Raw where a body of JSON has other text for it."""
    value = obj.get(name)
    if not isinstance(value, dict):
        return obj
    text = _member(body.decode("utf-8", "replace"), name)
    return obj if text is None or text == text_of(value) else {**obj, name: Raw(value, text)}


def text_of(value: Any) -> str:
    return value.text if type(value) is Raw else orjson.dumps(value).decode()


def _member(text: str, name: str) -> str | None:
    """The text of a member of the outermost object; the last one of several."""
    found: str | None = None
    try:
        at = _skip(text, _skip(text, 0) + 1)
        while text[at] == '"':
            key, at = DECODER.raw_decode(text, at)
            start = _skip(text, _skip(text, at) + 1)
            _, end = DECODER.raw_decode(text, start)
            found = text[start:end] if key == name else found
            at = _skip(text, _skip(text, end) + 1)
    except (IndexError, json.JSONDecodeError):
        return found
    return found


def _skip(text: str, at: int) -> int:
    while text[at] in SPACE:
        at += 1
    return at


class RawTexts:
    """Which text the stored objects of one kind have in `member`, by uid. What a restart forgets counts as unspaced."""

    def __init__(self, member: str) -> None:
        self._member = member
        self._texts: OrderedDict[str, str] = OrderedDict()

    def remember(self, obj: Json) -> None:
        """Called with an object that is about to be stored."""
        uid, value = obj["metadata"].get("uid", ""), obj.get(self._member)
        self._texts.pop(uid, None)
        if type(value) is Raw:
            self._texts[uid] = value.text
            if len(self._texts) > REMEMBERED:
                self._texts.popitem(last=False)

    def recall(self, obj: Json) -> Json:
        """A stored object with the text that it was sent with."""
        text = self._texts.get(obj["metadata"].get("uid", ""))
        return obj if text is None else {**obj, self._member: Raw(obj[self._member], text)}
