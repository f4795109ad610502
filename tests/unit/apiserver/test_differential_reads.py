"""Random reads and verbs over several objects, on the embedded server and on a real kube-apiserver, answered alike.

Needs KUBEBUILDER_ASSETS (or etcd and kube-apiserver on PATH); KAITO_DIFFERENTIAL_READS=2000 makes the long run,
KAITO_RECORD_READS=1 the record that test_recorded_reads.py compares with.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from typing import Any

import aiohttp
import pytest

from tests.unit.apiserver.conftest import Api, widget_definition
from tests.unit.apiserver.playing import define, play
from tests.unit.apiserver.sequences.families import FOUND, KNOWN, sequence
from tests.unit.apiserver.test_recorded_reads import RECORD

COUNT = int(os.environ.get("KAITO_DIFFERENTIAL_READS", "33"))
FIRST = int(os.environ.get("KAITO_DIFFERENTIAL_READS_FIRST", "0"))
AT_ONCE = 8
UNANSWERED_SHARE = 0.01
"""The real server breaks off a few requests, and times out on a few Services once it has served thousands of them."""


@pytest.mark.e2e
@pytest.mark.timeout(7200)
async def test_reads_and_verbs_over_several_objects_are_answered_as_the_real_server_answers_them(
    api: Api, real: str
) -> None:
    seeds = sorted({*range(FIRST, FIRST + COUNT), *FOUND} - {*KNOWN})
    turns = asyncio.Semaphore(AT_ONCE)
    unanswered: list[int] = []
    answers: dict[int, list[Any]] = {}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def difference(seed: int) -> str | None:
            asks = sequence(seed)
            async with turns:
                wanted, found = await asyncio.gather(
                    play(session, real, "real", asks), play(session, api.url, api.token, asks)
                )
            answers[seed] = wanted
            for number, (ask, want, got) in enumerate(zip(asks, wanted, found, strict=True)):
                if want is None:  # from here on the two servers may hold different objects
                    unanswered.append(seed)
                    return None
                if want != got:
                    return f"seed {seed}, request {number}: {ask}\n  real {want}\n  ours {got}"
            return None

        for url, token in ((real, "real"), (api.url, api.token)):
            await define(session, url, token, widget_definition())
        different = [found for found in await asyncio.gather(*map(difference, seeds)) if found]
    if os.environ.get("KAITO_RECORD_READS"):
        recorded = {seed: answers[seed] for seed in sorted({*FOUND} - {*KNOWN})}
        RECORD.write_bytes(gzip.compress(json.dumps(recorded, sort_keys=True).encode(), mtime=0))
    print(f"{len(different)} of {len(seeds)} sequences differ; {len(unanswered)} were not answered to their end")
    assert not different, "\n".join(different)
    assert len(unanswered) <= max(2, len(seeds) * UNANSWERED_SHARE)
