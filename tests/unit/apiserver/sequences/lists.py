"""Random lists, and lists in pages."""

from __future__ import annotations

import random
from typing import Any

from tests.unit.apiserver.playing import Ask
from tests.unit.apiserver.sequences.places import change, populated, query
from tests.unit.apiserver.sequences.selectors import ACCEPTS, TABLE, field_selector, label_selector, spoilt

VERSIONS = ["", "0", "1", "x", "-1", "1.5", "18446744073709551616", "00", "+1", " 1"]
MATCHES = [None, "Exact", "NotOlderThan", "Bogus", ""]
BOOLEANS = ["true", "false", "1", "0", "True", "x", "", "yes", "T", "FALSE"]
NUMBERS = ["0", "1", "-1", "x", "1.5", "", "+1", "99999999999999999999"]


def lists(rng: random.Random, seed: int) -> list[Ask]:
    """Lists with every option, right and wrong."""
    place, asks = populated(rng, seed)
    known = len(asks) - 1
    writes = [n for n, ask in enumerate(asks) if ask.method == "POST"]
    for _ in range(rng.randint(3, 7)):
        options: dict[str, Any] = {}
        own = place.own if rng.random() < 0.4 or not place.namespaced else None
        all_of_them = own is not None and rng.random() < 0.5
        if rng.random() < 0.4:
            own = label_selector(rng) + (f",{own}" if own else "")
        if rng.random() < 0.35:
            options["fieldSelector"] = field_selector(rng, place.plural)
        if rng.random() < 0.35:
            at = f"<{rng.choice([known, *writes])}:metadata.resourceVersion>"
            options["resourceVersion"] = rng.choice([*VERSIONS, *[at] * 8])
            options["resourceVersionMatch"] = rng.choice(MATCHES)
        elif rng.random() < 0.1:
            options["resourceVersionMatch"] = rng.choice(MATCHES)
        if rng.random() < 0.35:
            options["limit"] = rng.choice(["1", "2", "3", "100", *NUMBERS])
        if rng.random() < 0.08:
            options[rng.choice(["pretty", "sendInitialEvents", "allowWatchBookmarks", "watch0"])] = rng.choice(BOOLEANS)
        if rng.random() < 0.05:
            options["timeoutSeconds"] = rng.choice(NUMBERS)
        if rng.random() < 0.15:
            options["includeObject"] = rng.choice(["None", "Metadata", "Object", "Bogus", "none", ""])
        if rng.random() < 0.08:
            options["continue"] = rng.choice(["x", "", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MX0", "a b", "====", "e30"])
        path = place.everywhere if all_of_them else place.collection(rng.choice([None, None, place.b]))
        asks.append(Ask("GET", path + query(labelSelector=own, **options), accept=rng.choice(ACCEPTS)))
        if rng.random() < 0.2:
            asks.append(change(rng, place))
        if rng.random() < 0.1:
            asks.append(Ask("GET", place.one(1) + query(**{k: options[k] for k in options if k == "resourceVersion"})))
    return asks


def pages(rng: random.Random, seed: int) -> list[Ask]:
    """A list in pages, changes in between, tokens used elsewhere and with other options."""
    place, asks = populated(rng, seed)
    own = place.own if rng.random() < 0.5 or not place.namespaced else None
    path = place.everywhere if own and rng.random() < 0.5 else place.collection()
    if own and rng.random() < 0.5:
        own += "," + rng.choice(["a", "!a", "a in (1,2)", "b!=2"])
    limit = rng.randint(1, 2)
    accept = rng.choice(["application/json", "application/json", TABLE, ACCEPTS[19]])
    version = rng.choice([None, None, None, "0", f"<{len(asks) - 1}:metadata.resourceVersion>"])
    match = rng.choice([None, "Exact", "NotOlderThan"]) if version else None
    options = query(limit=limit, labelSelector=own, resourceVersion=version, resourceVersionMatch=match)
    asks.append(Ask("GET", path + options, accept=accept))
    for _ in range(rng.randint(1, 4)):
        if rng.random() < 0.4:
            asks.append(change(rng, place))
            continue
        last = max(n for n, ask in enumerate(asks) if ask.method == "GET" and "limit" in ask.path)
        token = f"<{last}:metadata.continue>"
        extra: dict[str, Any] = {}
        if rng.random() < 0.2:
            extra["resourceVersion"] = rng.choice(["0", "1", "<2:metadata.resourceVersion>"])
        if rng.random() < 0.1:
            extra["resourceVersionMatch"] = rng.choice(MATCHES)
        if rng.random() < 0.1:
            token = spoilt(rng, token + "x")
        where = path if rng.random() < 0.85 else rng.choice([place.collection(place.b), place.collection()])
        selected = own if rng.random() < 0.9 else rng.choice(["b", place.own])
        if where == place.everywhere and (not selected or place.own not in selected):
            selected = place.own
        parameters = query(limit=rng.choice([limit, 1, 2, 500]), labelSelector=selected, **extra)
        asks.append(Ask("GET", f"{where}{parameters}&continue={token}", accept=accept))
    return asks
