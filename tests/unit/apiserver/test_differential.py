"""The same random sequences on the embedded server and on a real kube-apiserver must be answered alike.

Needs KUBEBUILDER_ASSETS (or etcd and kube-apiserver on PATH); KAITO_DIFFERENTIAL=2000 makes the long run.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import aiohttp
import orjson
import pytest

from tests.unit.apiserver.conftest import DEFINITIONS, Api, widget_definition
from tests.unit.apiserver.differential import Step, comparable, sequence

COUNT = int(os.environ.get("KAITO_DIFFERENTIAL", "60"))
FIRST = int(os.environ.get("KAITO_DIFFERENTIAL_FIRST", "0"))
FOUND = (
    8,
    9,
    17,
    28,
    59,
    62,
    82,
    129,
    140,
    177,
    188,
    191,
    196,
    207,
    220,
    228,
    229,
    236,
    237,
    241,
    273,
    320,
    330,
    355,
    360,
    362,
    366,
    398,
    402,
    456,
    496,
    502,
    528,
    563,
    600,
    634,
    651,
    669,
    751,
    754,
    820,
    826,
    838,
    961,
    982,
    990,
    1012,
    1014,
    1015,
    1075,
    1103,
    1129,
    1167,
    1199,
    1265,
    1273,
    1368,
    1443,
    1445,
    1474,
    1503,
    1565,
    1658,
    1704,
    1790,
    1824,
    1862,
    1910,
    1931,
    5400,
    5415,
    5416,
)
"""Seeds that once found a difference, one for each cause: played every time."""
KNOWN = {1014: "null applied to a member of a custom resource that may not be null: refused there, dropped here"}
"""Seeds that differ, each with its reason, which docs/embedded.md gives too. Anything else that differs is a fault."""
ABORTED_SHARE = 0.001
"""The real server breaks off a few requests (a null in a list that a strategic patch merges): nothing to compare."""


async def play(session: aiohttp.ClientSession, url: str, token: str, steps: list[Step]) -> list[Any]:
    answers: list[Any] = []
    for step in steps:
        headers = {"Authorization": f"Bearer {token}", "User-Agent": "same/1", "Accept": step.accept}
        if step.content_type:
            headers["Content-Type"] = step.content_type
        data = None if step.body is None else json.dumps(step.body)
        try:
            async with session.request(step.method, url + step.path, data=data, headers=headers, ssl=False) as answer:
                raw = await answer.read()
        except aiohttp.ServerDisconnectedError:
            answers.append(None)  # the real server aborts a few requests: nothing to compare with
            continue
        try:
            document = orjson.loads(raw)
        except orjson.JSONDecodeError:
            document = raw.decode()
        answers.append(comparable(answer.status, document))
    return answers


@pytest.mark.e2e
@pytest.mark.timeout(1800)
async def test_random_sequences_are_answered_as_the_real_server_answers_them(api: Api, real: str) -> None:
    async with aiohttp.ClientSession() as session:
        for url, token in ((real, "real"), (api.url, api.token)):
            definition = json.dumps(widget_definition())
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            async with session.post(url + DEFINITIONS, data=definition, headers=headers, ssl=False) as answer:
                assert answer.status == 201
        await asyncio.sleep(2)
        different: list[str] = []
        played = skipped = 0
        for seed in sorted({*range(FIRST, FIRST + COUNT), *FOUND}):
            steps = sequence(seed)
            wanted, found = await asyncio.gather(
                play(session, real, "real", steps), play(session, api.url, api.token, steps)
            )
            played += len(steps)
            skipped += wanted.count(None)
            if seed in KNOWN:
                continue
            for step, want, got in zip(steps, wanted, found, strict=True):
                if want is not None and want != got:
                    different.append(f"seed {seed}: {step}\n  real {want}\n  ours {got}")
                    break
    print(f"{len(different)} sequences differ; {skipped} of {played} steps had no answer to compare with")
    assert not different, "\n".join(different)
    assert skipped <= max(2, played * ABORTED_SHARE)
