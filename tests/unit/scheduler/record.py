"""Records what the real kube-scheduler (in `$KUBEBUILDER_ASSETS`) does in every story."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path

from tests.unit.scheduler.clusters import with_the_real_scheduler
from tests.unit.scheduler.stories import STORIES, tell

TARGET = Path(__file__).parent / "data" / "real-1.34.json"


async def record() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with with_the_real_scheduler(Path(folder)) as client:
            told = {name: await tell(client, name, quiet=1.0) for name in STORIES}
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    asyncio.run(record())
