"""CONTRIBUTING.md and README.md speak of the tree as it is: what they name is there."""

import os
import re
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

import cloud.cli
import edge.cli

ROOT = Path(__file__).parents[1]
PAPERS = ("CONTRIBUTING.md", "README.md")
PACKAGES = ("cloud", "edge", "firmware_configs", "models", "tests")
PLACE = re.compile(rf"(?:{'|'.join(PACKAGES)})/[\w./-]*")
MODULE = re.compile(rf"-m ((?:{'|'.join(PACKAGES)})(?:\.\w+)*)")
FILE = re.compile(r"[\w-]+\.(?:py|vue|ts|sql|yaml)")
OF_A_SITE = {"node.yaml", "new.yaml"}
"""Files of whoever runs a node."""


def _words(paper: str) -> list[str]:
    """All words between backquotes, `a/{b,c}.py` as the two that it means."""
    words: list[str] = []
    for code in re.findall(r"`([^`]+)`", _text(paper)):
        for word in code.split():
            braces = re.fullmatch(r"(.*)\{([\w,]+)\}(.*)", word)
            parts = braces[2].split(",") if braces else [""]
            words += [f"{braces[1]}{part}{braces[3]}" if braces else word for part in parts]
    return words


def _text(paper: str) -> str:
    return (ROOT / paper).read_text(encoding="utf-8")


@pytest.mark.parametrize("paper", PAPERS)
def test_places_are_there(paper: str) -> None:
    named = {word for word in _words(paper) if PLACE.fullmatch(word.strip(",;:"))}
    assert not {word for word in named if not (ROOT / word.strip(",;:")).exists()}


@pytest.mark.parametrize("paper", PAPERS)
def test_links_lead_somewhere(paper: str) -> None:
    links = {link for link in re.findall(r"\]\(([^)#]+)", _text(paper)) if "://" not in link}
    assert not {link for link in links if not (ROOT / link).exists()}


@pytest.mark.parametrize("paper", PAPERS)
def test_commands_are_modules(paper: str) -> None:
    named = {module.replace(".", "/") for module in MODULE.findall(_text(paper))}
    assert not {
        module for module in named if not any((ROOT / f"{module}{end}").exists() for end in (".py", "/__main__.py"))
    }


@pytest.mark.parametrize("paper", PAPERS)
def test_files_are_somewhere(paper: str) -> None:
    known = {name for package in PACKAGES for name in _sources(ROOT / package)}
    assert not {word for word in _words(paper) if FILE.fullmatch(word)} - known - OF_A_SITE


def _sources(folder: Path) -> list[str]:
    """The names of all files below, without what was installed or built for the page."""
    names: list[str] = []
    for _place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in {"node_modules", "dist", "__pycache__"}]
        names += files
    return names


def test_each_recipe_stands_once() -> None:
    recipes = re.findall(r"^### (.+)$", _text("CONTRIBUTING.md"), re.MULTILINE)
    assert len(recipes) == len(set(recipes)) > 20
    assert sum("route" in recipe for recipe in recipes) == 1


PROGRAMS = {"gridward-edge": edge.cli.app, "gridward-cloud": cloud.cli.app}
OPTION = re.compile(r"(?<![\w-])--?[a-z][\w-]*")


def _command_lines(paper: str) -> list[str]:
    """What papers tell to type: lines of fences without their remarks, and words between backquotes."""
    fences = "\n".join(re.findall(r"^```\w*\n(.*?)^```", _text(paper), re.MULTILINE | re.DOTALL))
    told = [line.split("#")[0] for line in fences.splitlines()]
    told += re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", _text(paper), flags=re.MULTILINE | re.DOTALL))
    return [line.strip() for line in told if line.split()[:1] and line.split()[0] in PROGRAMS]


def _complaint(line: str) -> str | None:
    """What is wrong with `program group command --option`; `one | other` are commands beside each other, or their groups' ones."""
    program, *words = line.split()
    root = get_command(PROGRAMS[program])
    command, commands, options = root, [root], {"--help"}
    for word in words:
        name = word.strip(",;:.{}…")
        if word == "|":
            command = next(group for group in reversed(commands) if isinstance(group, TyperGroup))
        elif isinstance(command, TyperGroup) and name in command.commands:
            command = command.commands[name]
            commands.append(command)
        elif isinstance(command, TyperGroup) and isinstance(root, TyperGroup) and name in root.commands:
            command = root.commands[name]  # `one | figures show`
            commands.append(command)
        elif isinstance(command, TyperGroup) and name.islower() and not name.startswith("-"):
            return f"{line}: no command {name}"
    options |= {
        option for each in commands for parameter in each.params for option in parameter.opts + parameter.secondary_opts
    }
    unknown = set(OPTION.findall(" ".join(words))) - options
    return f"{line}: no options {sorted(unknown)}" if unknown else None


@pytest.mark.parametrize("paper", PAPERS)
def test_commands_and_their_options_are_there(paper: str) -> None:
    lines = _command_lines(paper)
    assert lines
    assert not [complaint for line in lines if (complaint := _complaint(line))]
