"""Sequences of requests that refer to earlier answers, and what two servers' answers must be alike in."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import aiohttp
import orjson
import yaml

_REFERENCE = re.compile(r"<(\d+):([\w.]+)>")
_OPENED, _JOINED, _PAUSE = "OPEN", "JOIN", "PAUSE"
HEADERS = ("Content-Type", "Warning", "Allow", "Retry-After", "WWW-Authenticate", "X-Content-Type-Options")


class Ask(NamedTuple):
    """One request. `<3:metadata.uid>` in path, body and headers stands for that place in the fourth answer.

    `body` is sent as JSON, or as it is where it is text. The methods WATCH (GET, read to its end), OPEN (begin to read
    a watch), JOIN (read what OPEN number `body` began to its end) and PAUSE (`body` seconds) are ours.
    """

    method: str
    path: str
    body: Any = None
    content_type: str = "application/json"
    accept: str = "application/json"
    headers: Mapping[str, str] = {}
    token: str = ""
    unowned: bool = False
    """Whether managedFields are left out, where the real server has them by chance (after a write through a Scale)."""


class Answered(NamedTuple):
    """What came back: `shown` is what is compared, `document` what later requests refer to."""

    shown: Any
    document: Any


async def play(session: aiohttp.ClientSession, url: str, token: str, asks: Sequence[Ask]) -> list[Any]:
    """The answers to the requests, masked; None for one that was not answered at all."""
    documents: list[Any] = []
    shown: list[Any] = []
    opened: dict[int, asyncio.Task[Answered]] = {}
    try:
        for index, ask in enumerate(asks):
            if ask.method == _OPENED:
                opened[index] = asyncio.create_task(_ask(session, url, token, ask, documents))
                await asyncio.sleep(0.3)
                documents.append(None)
                shown.append("opened")
                continue
            if ask.method == _PAUSE:
                await asyncio.sleep(ask.body)  # for caches that nothing can be asked about
                documents.append(None)
                shown.append("pause")
                continue
            if ask.method == _JOINED:
                answered = await opened.pop(ask.body)
            else:
                answered = await _ask(session, url, token, ask, documents)
            documents.append(answered.document)
            shown.append(answered.shown)
    finally:
        for task in opened.values():
            task.cancel()
    return shown


async def define(session: aiohttp.ClientSession, url: str, token: str, definition: dict[str, Any]) -> None:
    """Creates a CustomResourceDefinition and waits until its resource is served."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    spec = definition["spec"]
    definitions = f"{url}/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    served = f"{url}/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
    async with session.post(definitions, data=json.dumps(definition), headers=headers, ssl=False) as answer:
        assert answer.status == 201
    async with asyncio.timeout(30):
        while True:
            async with session.get(served, headers=headers, ssl=False) as answer:
                if answer.status == 200:
                    return
            await asyncio.sleep(0.2)


async def _ask(session: aiohttp.ClientSession, url: str, token: str, ask: Ask, documents: list[Any]) -> Answered:
    def fill(text: str) -> str:
        return _REFERENCE.sub(lambda match: str(_at(documents[int(match[1])], match[2])), text)

    headers = {"User-Agent": "same/1", "Accept": ask.accept}
    credential = fill(ask.token or token)
    if credential != "-":
        headers["Authorization"] = f"Bearer {credential}"
    data: str | bytes | None = None
    if ask.body is not None:
        headers["Content-Type"] = ask.content_type
        data = ask.body if isinstance(ask.body, bytes) else None
        if data is None:
            data = fill(ask.body if isinstance(ask.body, str) else json.dumps(ask.body))
    headers |= {name: fill(value) for name, value in ask.headers.items()}
    method = "GET" if ask.method in ("WATCH", _OPENED) else ask.method
    try:
        async with session.request(method, url + fill(ask.path), data=data, headers=headers, ssl=False) as answer:
            raw = await answer.read()
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, aiohttp.ClientOSError):
        return Answered(None, None)
    if answer.status == 504 and b"request did not complete within requested timeout" in raw:
        return Answered(None, None)  # it does so now and then when it has served thousands of Services
    document: Any
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        document = _several(raw, answer.headers.get("Content-Type", ""))
    if ask.method in ("WATCH", _OPENED) and answer.status == 200:
        document = _events(document)
    seen = HEADERS if raw else ()  # aiohttp gives a type of content to an empty answer too
    kept = {name: masked(", ".join(answer.headers.getall(name))) for name in seen if name in answer.headers}
    return Answered([answer.status, kept, comparable(_unowned(document) if ask.unowned else document)], document)


def _several(raw: bytes, content_type: str) -> Any:
    """What is no single JSON document: one on each line (a watch), YAML, or text."""
    try:
        if "yaml" in content_type:
            return list(yaml.safe_load_all(raw.decode()))
        return [orjson.loads(line) for line in raw.splitlines()]
    except (orjson.JSONDecodeError, yaml.YAMLError):
        return raw.decode("utf-8", "replace")


def _events(document: Any) -> Any:
    """A watch's events without the bookmarks that time brings."""
    events = [document] if isinstance(document, dict) else document
    if not isinstance(events, list):
        return events
    kept = []
    for event in events:
        if event.get("type") == "BOOKMARK" and "initial-events-end" not in json.dumps(event):
            continue
        kept.append(event)
    return kept


def _unowned(document: Any) -> Any:
    """A document without its metadata's managedFields."""
    if not isinstance(document, dict) or not isinstance(document.get("metadata"), dict):
        return document
    metadata = {name: value for name, value in document["metadata"].items() if name != "managedFields"}
    return {**document, "metadata": metadata}


def _at(document: Any, place: str) -> Any:
    found = document
    for part in place.split("."):
        if isinstance(found, list):
            found = found[int(part)] if part.isdigit() and int(part) < len(found) else None
        else:
            found = found.get(part) if isinstance(found, dict) else None
    return "" if found is None else found


UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"2\d\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
ADDRESS = re.compile(r"\b(10|127|192)\.\d+\.\d+\.\d+\b(:\d+)?")
SHOWN_OBJECT = re.compile(r""".*patch: Invalid value: ("\{(?:[^"\\]|\\.)*"): (.*)""", re.DOTALL)
GRANT = re.compile(r'ClusterRoleBinding "system:[^"]+" of ClusterRole "system:[^"]+"')
"""One of several bindings that allow the same: which, the random order of Go's maps decides."""
HASH = re.compile(r"hash=[0-9A-F]+")
AGE = re.compile(r"^(\d+(s|ms)|<invalid>)$")
GENERATED = re.compile(r"\bgen-[a-z0-9]{5}\b")
VERSIONS = re.compile(r"(?i)((?:resource ?version|current|record|precondition|meta)\W+)\d+( \(\d+\))?")
TOKEN = re.compile(r"ey[\w-]+\.[\w-]+\.[\w-]+")
TIMES = frozenset(("time", "buildDate", "gitCommit", "goVersion"))
UNORDERED = frozenset(("resourceRules", "nonResourceRules", "finalizers"))
"""Lists that the real server has in the random order of Go's maps."""
COUNTERS = frozenset(("resourceVersion", "continue"))


def comparable(document: Any) -> Any:
    """An answer without what no two servers share."""
    if isinstance(document, dict) and document.get("kind") == "Status":
        shown = SHOWN_OBJECT.fullmatch(document.get("message", ""))
        if shown is not None:  # its members are in Go's order
            seen = _unowned(json.loads(json.loads(shown[1])))
            return {"reason": document.get("reason"), "shown": masked(seen), "why": masked(shown[2])}
        causes = (document.get("details") or {}).get("causes")
        if causes and len(causes) > 1:
            listed = sorted(json.dumps(masked(cause), sort_keys=True) for cause in causes)
            return {"reason": document.get("reason"), "causes": listed}
    return masked(document)


def masked(value: Any) -> Any:
    """The value with its times, uids, versions, addresses and generated names made alike."""
    if isinstance(value, dict):
        return {key: _member(key, item) for key, item in value.items() if key not in TIMES}
    if isinstance(value, list):
        items = [masked(item) for item in value]
        # Entries of managedFields stand in the order of their times, which are not looked at.
        return (
            sorted(items, key=json.dumps) if items and isinstance(items[0], dict) and "fieldsV1" in items[0] else items
        )
    if isinstance(value, str):
        text = ADDRESS.sub(
            "IP", UID.sub("UID", TIME.sub("TIME", TOKEN.sub("TOKEN", HASH.sub("HASH", GRANT.sub("GRANT", value)))))
        )
        text = VERSIONS.sub(r"\1N", GENERATED.sub("gen-NAME", text))
        return AGE.sub("AGE", re.sub(r":3\d{4}/TCP", ":PORT/TCP", text))
    return value


def _member(key: str, value: Any) -> Any:
    if key in COUNTERS:
        return _counter(value)
    shown = masked(value)
    return sorted(shown, key=json.dumps) if key in UNORDERED and isinstance(shown, list) else shown


def _counter(value: Any) -> Any:
    return "COUNTER" if value and isinstance(value, str) else value
