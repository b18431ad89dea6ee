"""Every setting and every command of the project is documented, and nothing that is not there."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from django.core.management import get_commands, load_command_class

from flavorsync_project.environment import SETTINGS
from testing.source import ROOT

PROJECT_APPS = {
    "flavorsync_project",
    "identity",
    "infrastructures",
    "flavors",
    "synchronisation",
    "pages",
    "regions",
    "compute",
}


def _readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def _settings_page() -> str:
    return (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")


def _documentation() -> dict[Path, str]:
    pages = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
    return {page.relative_to(ROOT): page.read_text(encoding="utf-8") for page in pages}


def _links(page: Path, text: str) -> set[tuple[Path, str]]:
    """Return the files that a page links to, relative to the project, and the headings in them ("" for the top)."""
    inside = {target for target in re.findall(r"\]\(([^)\s]+)[^)]*\)", text) if "://" not in target}
    parts = {target.partition("#")[::2] for target in inside}
    return {(Path(os.path.normpath(page.parent / path) if path else page), heading) for path, heading in parts}


def _anchors(text: str) -> set[str]:
    """Return what GitHub and GitLab make of a page's headings."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _commands() -> set[str]:
    return {name for name, app in get_commands().items() if app in PROJECT_APPS}


def test_the_page_of_settings_names_the_file_of_each_secret() -> None:
    files = set(re.findall(r"`([A-Z_]+)_FILE`", _settings_page())) - {"ENV", "NAME"}
    assert files == {name for name, setting in SETTINGS.items() if setting.kind.is_secret}


def test_every_command_is_documented() -> None:
    text = "\n".join(_documentation().values())
    missing = sorted(name for name in _commands() if f"manage.py {name}" not in text)
    assert not missing, (
        f"README.md and docs/ do not tell how to use {', '.join(f'`manage.py {name}`' for name in missing)}"
    )


def test_no_command_is_documented_that_is_not_there() -> None:
    known = set(get_commands())
    gone = {
        f"{page}: manage.py {name}"
        for page, text in _documentation().items()
        for name in re.findall(r"manage\.py ([a-z_]+)", text)
        if name not in known
    }
    assert not gone, f"These pages name commands that do not exist: {', '.join(sorted(gone))}"


def test_every_command_says_what_it_does() -> None:
    silent = [name for name in sorted(_commands()) if not load_command_class(get_commands()[name], name).help]
    assert not silent, f"No help text: {', '.join(silent)}"


def test_commands_are_written_as_they_work() -> None:
    """A shell would look for a plain `manage.py` on the PATH, and not find it."""
    wrong = [
        f"{page}: {line.strip()}"
        for page, text in _documentation().items()
        if page.name != "CHANGELOG.md"
        for line in text.splitlines()
        if re.search(r"(?<![./\w-])manage\.py [a-zA-Z]", line) and "python manage.py" not in line
    ]
    assert wrong == []


def test_every_script_is_in_the_readme_or_the_guide_for_contributors() -> None:
    scripts = sorted(path.name for path in (ROOT / "scripts").iterdir() if path.is_file() and not path.suffix)
    text = _readme() + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    missing = [name for name in scripts if f"scripts/{name}" not in text]
    assert not missing, f"README.md and CONTRIBUTING.md do not name {', '.join(f'scripts/{name}' for name in missing)}"


def test_links_in_the_documentation_lead_somewhere() -> None:
    pages = _documentation()
    broken = [
        f"{page}: {target}#{heading}"
        for page, text in pages.items()
        for target, heading in sorted(_links(page, text))
        if not (ROOT / target).exists() or (heading and heading not in _anchors(pages[target]))
    ]
    assert not broken, f"These links lead nowhere: {', '.join(broken)}"


def test_the_readme_is_read_in_five_minutes() -> None:
    assert len(_readme().split()) < 1000


def test_every_page_is_in_the_index() -> None:
    pages = _documentation()
    indexes = [Path("docs/README.md"), Path("docs/decisions/README.md")]
    linked = {target for index in indexes for target, _ in _links(index, pages[index])}
    missing = sorted(str(page) for page in pages if page.parts[0] == "docs" and page not in {*linked, indexes[0]})
    assert not missing, f"docs/README.md does not link to {', '.join(missing)}"


def _navigation(entries: Any) -> Iterator[str]:
    for entry in entries:
        for found in entry.values() if isinstance(entry, dict) else [entry]:
            yield from [found] if isinstance(found, str) else _navigation(found)


def test_every_page_is_in_the_sites_navigation() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    named = set(_navigation(site["nav"]))
    pages = {str(page.relative_to("docs")) for page in _documentation() if page.parts[0] == "docs"}
    pages = {page for page in pages if not page.startswith("decisions/0")}  # scripts/docs_pages.py adds all of them
    others = {f"project/{page}" for page in _documentation() if len(page.parts) == 1}
    assert named == pages | others | {"reference/commands.md", "reference/api.md"}


def test_every_file_of_the_code_that_a_page_names_is_there() -> None:
    folders = "|".join(sorted(path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()))
    named = re.compile(rf"`((?:{folders}|deploy|scripts|templates|docs)/[\w./-]*)`")
    gone = sorted(
        f"{page}: {path}"
        for page, text in _documentation().items()
        for path in named.findall(text)
        if page.name != "CHANGELOG.md" and not (ROOT / path).exists()
    )
    assert not gone, f"These pages name files that are not there: {', '.join(gone)}"
