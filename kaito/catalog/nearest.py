"""What a misspelt instance type was probably meant to be."""

from __future__ import annotations

import difflib
import json
import re

HOW_TO_LIST = "kaito instance-types"
SHOWN = 3
_PREFIX = "standard_"
_REFUSED = re.compile(r"Unsupported instance type (?P<name>.*?)\. Supported SKUs: \[(?P<supported>[^\]]*)\]", re.DOTALL)


def nearest_instance_types(name: str, known: list[str]) -> list[str]:
    """The few names of `known` that are most like `name`, most alike first, without regard to case and prefix."""
    by_key = {_key(each): each for each in known}
    return [by_key[key] for key in difflib.get_close_matches(_key(name), by_key, n=SHOWN, cutoff=0.6)]


def advice(message: str) -> str | None:
    """What to say beside a refusal that lists every supported size: the nearest ones, and how to list all."""
    refused = _REFUSED.search(message)
    return _advice(refused) if refused else None


def shortened(message: str) -> str:
    """The message with the list of every supported size replaced by the nearest ones and how to list all."""
    return _REFUSED.sub(_advice, message)


def _advice(refused: re.Match[str]) -> str:
    name, known = refused["name"], refused["supported"].split()
    near = nearest_instance_types(name, known)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    shown = name if name.isprintable() and " " not in name else json.dumps(name)  # A tab would show nowhere.
    return f"instance type {shown or '(none)'} is not known; {hint}list all {len(known)} with `{HOW_TO_LIST}`"


def _key(name: str) -> str:
    return name.lower().removeprefix(_PREFIX)
