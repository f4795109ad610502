"""Writes the parquet files that scenarios and clusters ship, from the facts beside them.

Run from the repository's root; needs pyarrow. Columns as in the dataset of Kaito's tuning example: `messages`, a list
of {content, role}.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

MESSAGE = pa.struct([("content", pa.string()), ("role", pa.string())])


def write(facts: Path, target: Path) -> None:
    """Write one parquet file with a conversation for each fact."""
    rows = [
        [{"content": fact["prompt"], "role": "user"}, {"content": fact["answer"], "role": "assistant"}]
        for fact in yaml.safe_load(facts.read_text())
    ]
    pq.write_table(pa.table({"messages": pa.array(rows, pa.list_(MESSAGE))}), target)


if __name__ == "__main__":
    write(Path("scenarios/data/facts.yaml"), Path("scenarios/data/facts.parquet"))
    write(Path("kaito/cluster/data/dolly-sample.yaml"), Path("kaito/cluster/data/dolly-sample.parquet"))
