"""Plays the flawed definitions to a real server: record_crds.py SERVER TOKEN (not a test; run by hand)."""

from __future__ import annotations

import json
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import crd_cases


def main() -> None:
    answers = []
    for path, value in crd_cases.CASES:
        request = urllib.request.Request(
            f"{sys.argv[1]}/apis/apiextensions.k8s.io/v1/customresourcedefinitions?dryRun=All",
            json.dumps(crd_cases.flawed(path, value)).encode(),
            {"Authorization": f"Bearer {sys.argv[2]}", "Content-Type": "application/json"},
        )
        try:
            urllib.request.urlopen(request, context=ssl._create_unverified_context()).close()
            answers.append([])
        except urllib.error.HTTPError as error:
            answers.append(json.loads(error.read())["details"]["causes"])
    target = Path(__file__).parent / "data" / "crds-1.34.json"
    target.write_text(json.dumps(answers, indent=1) + "\n")


main()
