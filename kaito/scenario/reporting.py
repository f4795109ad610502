"""Writing down how a run went: `run.json`, `junit.xml` and `report.html`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from xml.etree import ElementTree

from kaito.scenario.evidence import RunRecord
from kaito.scenario.html_report import render


def write_reports(record: RunRecord, folder: Path) -> None:
    """Write the reports into `folder`, each file whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "run.json", json.dumps(record.as_json(), indent=2, ensure_ascii=False).encode() + b"\n")
    _write(folder / "junit.xml", junit(record))
    _write(folder / "report.html", render(record).encode())


def junit(record: RunRecord) -> bytes:
    """A JUnit document with a test case for each step; a failure outside a step gets a case of its own."""
    suite = ElementTree.Element("testsuite", name=record.scenario, time=f"{record.seconds:.3f}")
    if record.began:
        suite.set("timestamp", record.began)
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in sorted({"tier": record.tier, "file": record.file, **record.environment}.items()):
        ElementTree.SubElement(properties, "property", name=name, value=value)
    failures = skipped = 0
    for step in record.steps:
        case = ElementTree.SubElement(
            suite, "testcase", classname=record.scenario, name=step.title, time=f"{step.seconds:.3f}"
        )
        if step.outcome == "failed" and step.began:
            failures += 1
            ElementTree.SubElement(case, "failure", message=_printable(step.message), type=step.operation)
        elif step.outcome != "passed":
            skipped += 1
            ElementTree.SubElement(case, "skipped", message="an earlier step failed")
    cases = len(record.steps)
    if record.outcome == "failed" and not failures:
        cases, failures = cases + 1, 1
        case = ElementTree.SubElement(suite, "testcase", classname=record.scenario, name="run", time="0.000")
        ElementTree.SubElement(case, "failure", message=_printable(record.reason), type="run")
    for name, count in (("tests", cases), ("failures", failures), ("errors", 0), ("skipped", skipped)):
        suite.set(name, str(count))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _printable(text: str) -> str:
    """The text without the control characters that XML 1.0 cannot hold."""
    return "".join(character for character in text if character >= " " or character in "\t\n")


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(content)
    os.replace(temporary, path)
