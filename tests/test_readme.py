"""The README's commands work as it shows them."""

from __future__ import annotations

import re
import shlex

import pytest
from commands import here
from readme import PAGES, ROOT, TEXT

COMMANDS = sorted(set(re.findall(r"(?:^|&& \S*)python -m nnexp\.run( .*)?$", TEXT, re.MULTILINE)))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_works(tmp_path, command):
    arguments = shlex.split(command)
    trains = not {"--help", "--cfg", "--dry-run", "--end-stale"} & set(arguments)
    done = here(tmp_path, *arguments, *(["budget.iterations=20", "tracking=lean"] if trains else []))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs").exists() == (trains or "--end-stale" in arguments)


def test_the_readme_names_every_option():
    from nnexp.config.places import groups

    for group, options in groups().items():
        for option in (group, *options):
            assert f"`{option}`" in TEXT


def test_continuous_integration_runs_the_readmes_tests():
    last = (ROOT / ".ci" / "run").read_text().splitlines()[-1]
    assert f"&& {last}\n" in TEXT


def test_the_files_that_pages_link_to_are_there():
    for page in PAGES:
        for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).is_file(), (page.name, link)


def test_the_readme_is_short_and_leads_to_every_page():
    first, *guide = PAGES
    text = first.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 100
    for page in guide:
        assert f"](nnexp/guide/{page.name})" in text
