"""The seeds of test_differential_reads, compared with what a real kube-apiserver 1.34.4 answered when it was asked.

KAITO_RECORD_READS=1 with KUBEBUILDER_ASSETS makes the record anew: run test_differential_reads.py so after a change of
the sequences.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.unit.apiserver.conftest import Api, widget_definition
from tests.unit.apiserver.playing import define, play
from tests.unit.apiserver.sequences.families import FOUND, KNOWN, sequence

RECORD = Path(__file__).parent / "data" / "recorded_reads.json.gz"
AT_ONCE = 8


@pytest.mark.timeout(180)
async def test_sequences_are_answered_as_a_real_server_once_answered_them(api: Api) -> None:
    recorded: dict[str, list[Any]] = json.loads(gzip.decompress(RECORD.read_bytes()))
    assert sorted(map(int, recorded)) == sorted({*FOUND} - {*KNOWN}), "the record is of other seeds: make it anew"
    turns = asyncio.Semaphore(AT_ONCE)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def difference(seed: int, wanted: list[Any]) -> str | None:
            asks = sequence(seed)
            async with turns:
                found = json.loads(json.dumps(await play(session, api.url, api.token, asks)))
            for number, (ask, want, got) in enumerate(zip(asks, wanted, found, strict=True)):
                if want is None:
                    return None
                if want != got:
                    return f"seed {seed}, request {number}: {ask}\n  real {want}\n  ours {got}"
            return None

        await define(session, api.url, api.token, widget_definition())
        played = [difference(int(seed), wanted) for seed, wanted in recorded.items()]
        different = [found for found in await asyncio.gather(*played) if found]
    assert not different, "\n".join(different)
