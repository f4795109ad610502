"""`python -m kaito.api.crds`: write the YAML files beside this one from the models."""

from __future__ import annotations

from pathlib import Path

import yaml

from kaito.api.crds.definitions import definitions

HEADER = "# Generated from kaito.api.models by `python -m kaito.api.crds`; do not edit.\n"


class _Dumper(yaml.SafeDumper):
    """Without anchors: shared lists (the columns of two versions) are written out."""

    def ignore_aliases(self, data: object) -> bool:
        """Never write an anchor."""
        return True


def render() -> dict[str, str]:
    """Text of every CRD file by its name."""
    return {
        name: HEADER + yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, width=120)
        for name, manifest in definitions().items()
    }


def main() -> None:
    """Write all files."""
    for name, text in render().items():
        (Path(__file__).parent / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
