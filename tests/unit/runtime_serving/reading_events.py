"""Reads a stream of server-sent events as the OpenAI contracts have it."""

import json
from typing import Any


def read_events(text: str) -> list[Any]:
    """The JSON of every `data:` block; the last must be `[DONE]`."""
    blocks = [block for block in text.split("\n\n") if block]
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks), blocks
    assert blocks[-1] == "data: [DONE]"
    return [json.loads(block.removeprefix("data: ")) for block in blocks[:-1]]
