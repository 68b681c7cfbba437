"""What the pages say of commands and settings is what the program has."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from tensaku.cli import app
from tensaku.config import Section
from tensaku.docs import pages
from tensaku.pipeline import Spec

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_the_generated_pages_are_the_committed_ones() -> None:
    for name, text in pages().items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == text, f"run: python -m tensaku.docs ({name})"


def commands(group: Any, path: str = "tensaku") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(commands(typer.main.get_command(app)))


def test_every_command_and_option_is_on_the_page_with_its_help() -> None:
    text = pages()["commands.md"]
    assert len(COMMANDS) >= 12
    for path, command in COMMANDS.items():
        section = text.split(f"## `{path}`\n")[1].split("\n## ")[0]
        assert command.help in section
        for parameter in command.params:
            if parameter.name == "help":
                continue
            assert parameter.help, f"{path}: {parameter.name} has no help"
            assert parameter.help in section
            for option in parameter.opts if parameter.param_type_name == "option" else ():
                assert f"`{option}`" in section


def keys(spec: type[Section], start: str = "") -> Iterator[str]:
    for name, field in spec.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            yield from keys(inner, f"{start}{name}.")
        else:
            yield f"{start}{name}"


def test_every_setting_is_on_the_page() -> None:
    text = pages()["config.md"]
    found = list(keys(Spec))
    assert len(found) > 30
    for key in found:
        section, _, name = key.rpartition(".")
        part = re.split(rf"^#+ .*\b{re.escape(section)}\b.*$", text, maxsplit=1, flags=re.MULTILINE)
        assert len(part) == 2, f"no heading for [{section}]"
        assert re.search(rf"\b{name}\b", part[1]), key


def lines_of(page: Path) -> Iterator[tuple[int, str]]:
    """The code lines of a page that call the program: indented, fenced, or between single marks."""
    for number, line in enumerate(page.read_text(encoding="utf-8").split("\n"), 1):
        if re.match(r"( {4}|\$ |)tensaku ", line):
            yield number, line.strip().removeprefix("$ ")
        for inline in re.findall(r"`(tensaku [^`]+)`", line):
            yield number, inline


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_tells_to_type_exists(page: Path) -> None:
    for number, line in lines_of(page):
        words = [word for word in shlex.split(line, comments=True) if word not in ("...", "…")]
        name = " ".join(words[:3]) if " ".join(words[:3]) in COMMANDS else " ".join(words[:2])
        where = f"{page.name}, line {number}: {line}"
        if name in ("tensaku user", "tensaku key", "tensaku --help", "tensaku --version"):
            continue
        assert name in COMMANDS, where
        known = {option for p in COMMANDS[name].params for option in (*p.opts, *p.secondary_opts)} | {"--help"}
        for word in words[2:]:
            if word.startswith("-") and word != "-":
                assert word.partition("=")[0] in known, where


def test_the_readmes_tell_the_same_commands() -> None:
    english, japanese = (
        [shlex.split(line, comments=True)[:2] for _, line in lines_of(ROOT / name)]
        for name in ("README.md", "README.ja.md")
    )
    assert english == japanese
    assert len(english) >= 5


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), target
    for target in re.findall(r"`(docs/[\w./-]+\.md)`", text):
        assert (ROOT / target).exists(), target
