"""Random watches: from the start, from the middle, with every option, and open while things change."""

from __future__ import annotations

import random
from typing import Any

from tests.unit.apiserver.playing import Ask
from tests.unit.apiserver.sequences.lists import BOOLEANS, MATCHES
from tests.unit.apiserver.sequences.places import Place, change, populated, query
from tests.unit.apiserver.sequences.selectors import ACCEPTS, BY_KIND


def watches(rng: random.Random, seed: int) -> list[Ask]:
    """Changes, and watches that start before, between and after them, one of them open meanwhile."""
    place, asks = populated(rng, seed)
    own = None if place.namespaced and rng.random() < 0.6 else place.own
    live = rng.random() < 0.3
    opened = len(asks)
    if live:
        asks.append(_watch(rng, place, own, range(opened), seconds="3")._replace(method="OPEN"))
    for _ in range(rng.randint(2, 6)):
        asks.append(change(rng, place))
    if rng.random() < 0.15:
        asks.append(Ask("DELETE", place.collection() + query(labelSelector=place.own, gracePeriodSeconds=0)))
    if rng.random() < 0.1:
        asks.append(Ask("DELETE", f"/api/v1/namespaces/{place.a}"))
    if live:
        asks.append(Ask("JOIN", "", opened))
    asks.append(
        Ask("GET", place.collection() if place.namespaced else place.everywhere + query(labelSelector=place.own))
    )
    for _ in range(rng.randint(1, 3)):
        usable = [n for n, ask in enumerate(asks) if ask.method in ("POST", "PATCH", "GET") and n > 1]
        asks.append(_watch(rng, place, own, usable))
    return asks


def _watch(rng: random.Random, place: Place, own: str | None, usable: Any, seconds: str = "1") -> Ask:
    options: dict[str, Any] = {"timeoutSeconds": seconds if rng.random() < 0.97 else rng.choice(["x", "", "1.5"])}
    if rng.random() < 0.4:
        own = rng.choice(["a", "!a", "a=1", "a!=1", "b in (2)", "a>1"]) + (f",{own}" if own else "")
    if rng.random() < 0.2:
        field = rng.choice([*BY_KIND.get(place.plural, []), f"metadata.name={place.name(1)}", "bogus=1"])
        options["fieldSelector"] = field
    at = f"<{rng.choice(list(usable))}:metadata.resourceVersion>"
    options["resourceVersion"] = rng.choice([at, at, at, at, at, at, "", "0", "0", "1", "x", "-1", None])
    if rng.random() < 0.3:
        options["sendInitialEvents"] = rng.choice(["true", "true", "true", "false", "x", ""])
        options["resourceVersionMatch"] = rng.choice(["NotOlderThan"] * 5 + [None, "Exact", "Bogus"])
        options["allowWatchBookmarks"] = rng.choice(["true", "true", "false", None])
    elif rng.random() < 0.1:
        options["resourceVersionMatch"] = rng.choice(MATCHES)
    if rng.random() < 0.1:
        options["allowWatchBookmarks"] = rng.choice(BOOLEANS)
    if rng.random() < 0.06:
        options[rng.choice(["limit", "continue", "pretty", "includeObject"])] = rng.choice(["1", "Object", "x", "true"])
    accept = rng.choice(["application/json"] * 6 + ACCEPTS)
    everywhere = own is not None and place.own in own and rng.random() < 0.4
    collection = place.everywhere if everywhere else place.collection()
    style = rng.random()
    if style < 0.75:
        return Ask(
            "WATCH",
            collection + query(watch=rng.choice(["true", "1", "True"]), labelSelector=own, **options),
            accept=accept,
        )
    below = collection.removeprefix(place.root)
    if style < 0.85:
        return Ask("WATCH", f"{place.root}/watch{below}" + query(labelSelector=own, **options), accept=accept)
    if style < 0.93:
        name = place.name(rng.randint(1, 3))
        return Ask(
            "WATCH",
            f"{place.root}/watch{place.collection().removeprefix(place.root)}/{name}" + query(**options),
            accept=accept,
        )
    return Ask("WATCH", place.one(rng.randint(1, 3)) + query(watch="true", **options), accept=accept)
