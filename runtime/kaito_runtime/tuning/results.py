"""What a run that succeeded leaves in its output folder."""

import json
import shutil
from pathlib import Path
from typing import Any, Final

from kaito_runtime import sentinels

SUMMARY: Final = "tuning_summary.json"


def write_results(output: Path, model: Any, summary: dict[str, Any]) -> None:
    """Write adapter and summary, then the sentinel. The adapter's files appear whole or not at all."""
    output.mkdir(parents=True, exist_ok=True)
    part = output / ".adapter.part"
    shutil.rmtree(part, ignore_errors=True)
    model.save_pretrained(part)
    _sort_names(part / "adapter_config.json")
    for path in sorted(part.iterdir()):
        path.chmod(0o644)  # the pusher may be another user; safetensors writes for the owner alone
        path.replace(output / path.name)
    part.rmdir()
    sentinels.write_atomically(output / SUMMARY, json.dumps(summary, indent=1) + "\n")
    sentinels.report_completed(output)


def _sort_names(config: Path) -> None:
    """Sort the lists of names in an adapter's configuration: peft keeps sets, whose order differs between processes."""
    document = json.loads(config.read_text(encoding="utf-8"))
    for key in ("target_modules", "exclude_modules"):
        if isinstance(document.get(key), list):
            document[key] = sorted(document[key])
    config.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
