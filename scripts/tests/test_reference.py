"""The tables that scripts/reference.py writes are as it would write them, and say what they have to."""

import pytest

from scripts import reference

PAGES = [(reference.SETTINGS_PAGE, reference.with_settings), (reference.COMMANDS_PAGE, reference.with_commands)]


@pytest.mark.parametrize(("page", "written"), PAGES, ids=["settings", "commands"])
def test_the_page_is_as_the_code_has_it(page: reference.Path, written: reference.Writer) -> None:
    text = page.read_text(encoding="utf-8")
    assert written(text) == text, f"docs/{page.name} differs from the code: run .venv/bin/python -m scripts.reference"
    assert reference.TO_BE_WRITTEN not in text, f"docs/{page.name} does not say what a setting means"


def test_a_row_that_is_gone_comes_again_and_what_is_written_stays() -> None:
    page = reference.SETTINGS_PAGE.read_text(encoding="utf-8")
    debug = next(line for line in page.splitlines(keepends=True) if line.startswith("| `DEBUG` |"))
    changed = (
        page.replace(debug, "")
        .replace("from 0.1 to 300", "from 1 to 2")
        .replace("the central Keystone, with", "K, with")
    )
    written = reference.with_settings(changed)
    assert f"| `DEBUG` | `false` | true or false | {reference.TO_BE_WRITTEN} |\n" in written
    assert "| any |" not in written
    assert "| K, with or without `/v3` |" in written


def test_commands_are_shown_as_they_are_typed() -> None:
    written = reference.with_commands(reference.COMMANDS_PAGE.read_text(encoding="utf-8"))
    assert "| `./manage.py install_flavor FLAVOR (--node NODE \\| --everywhere) [--dry-run] [--json]` |" in written
    assert "| `./manage.py import_flavors [FLAVOR …] --from NODE [--promote] [--dry-run] [--json]` |" in written
