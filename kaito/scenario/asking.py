"""Putting questions to a served model over HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import aiohttp

from kaito.cluster.base import Cluster
from kaito.scenario.schema import Fact

SERVICE_PORT = 80
CONCURRENCY = 4
"""Questions under way at once."""


class AskError(Exception):
    """The service did not answer a question: one sentence with address and reason."""


@dataclass(frozen=True)
class Reply:
    """One question with its answer."""

    fact: Fact
    answer: str

    @property
    def exact(self) -> bool:
        """Whether the answer is the fact's, but for space around it."""
        return self.answer.strip() == self.fact.answer.strip()


async def ask(
    cluster: Cluster, service: str, namespace: str, facts: list[Fact], *, model: str, timeout: float
) -> list[Reply]:
    """Ask every fact's prompt: at `/chat` when `model` is empty, of that model at `/v1/chat/completions` otherwise."""
    url, proxy = await cluster.service_url(service, namespace, SERVICE_PORT)
    gate = asyncio.Semaphore(CONCURRENCY)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout)) as session:

        async def one(fact: Fact) -> Reply:
            async with gate:
                return Reply(fact, await _answer(session, url, proxy, fact.prompt, model))

        return list(await asyncio.gather(*(one(fact) for fact in facts)))


async def _answer(session: aiohttp.ClientSession, url: str, proxy: str | None, prompt: str, model: str) -> str:
    if model:
        address = f"{url}/v1/chat/completions"
        body = {"model": model, "messages": [{"role": "user", "content": prompt}], "temperature": 0}
    else:
        address, body = f"{url}/chat", {"prompt": prompt}
    try:
        async with session.post(address, json=body, proxy=proxy) as response:
            if response.status != 200:
                raise AskError(f"{address} answered {response.status}: {(await response.text())[:256]}")
            answer = await response.json()
        return str(answer["choices"][0]["message"]["content"] if model else answer["Result"])
    except (aiohttp.ClientError, TimeoutError) as error:
        raise AskError(f"{address} did not answer: {error or type(error).__name__}") from error
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise AskError(f"{address} answered something else than a completion: {error}") from error
