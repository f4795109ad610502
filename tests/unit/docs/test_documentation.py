"""What the documentation points to exists, and the commands and keys it names are real."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from kaito.cli.commands import app
from kaito.scenario.loading import load_scenario
from kaito.scenario.schema import Scenario, Step

REPOSITORY = Path(__file__).parents[3]
PAGES = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("runtime/*.md")])
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
COMMAND = re.compile(r"(?:^|`|&& )kaito ([a-z][a-z-]*)", re.MULTILINE)
PATH = re.compile(r"`((?:kaito|backends|runtime|scenarios|examples|tests|docs)/[\w./-]+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for link in LINK.findall(text):
        assert (page.parent / link).exists(), f"{page.name} links to {link}"
    for path in PATH.findall(text):
        assert (REPOSITORY / path).exists(), f"{page.name} names {path}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_commands_exist(page: Path) -> None:
    known = set(getattr(get_command(app), "commands", {}))
    for command in COMMAND.findall(page.read_text()):
        assert command in known, f"{page.name} names `kaito {command}`"


def test_the_scenario_page_names_every_step_and_its_example_is_valid() -> None:
    text = (REPOSITORY / "docs/scenarios.md").read_text()
    for name, field in Step.model_fields.items():
        assert name == "name" or f"`{field.alias or name}:" in text, f"docs/scenarios.md does not explain {name}"
    example = text.split("```yaml\n")[1].split("```")[0]
    Scenario.model_validate(yaml.safe_load(example))


@pytest.mark.parametrize("path", sorted(REPOSITORY.glob("scenarios/*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_scenario_is_valid_and_says_what_it_shows(path: Path) -> None:
    loaded = load_scenario(path)
    assert loaded.scenario.metadata.name == path.stem
    assert loaded.scenario.spec.description


def test_the_readmes_test_command_is_the_one_ci_runs() -> None:
    command = next(line for line in (REPOSITORY / "README.md").read_text().splitlines() if "./setup.sh dev" in line)
    assert command in (REPOSITORY / ".ci/run").read_text().splitlines()
