"""What the site has besides the pages of docs/, for MkDocs, which calls the functions named on_….

The pages of the project's folder; and two pages of reference, made from what they are about: the commands, from their
parsers, and the operations of the API, from its OpenAPI document.
"""

import os
import re
from argparse import Action, ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PROJECT_PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "CODE_OF_CONDUCT.md", "SECURITY.md")
LINK = re.compile(r"\]\(([^)\s#]*)(#[^)\s]*)?\)")
METHODS = ("get", "post", "put", "patch", "delete")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put every record of a decision into the navigation."""
    (explanation,) = (entry["Explanation"] for entry in config.nav or [] if "Explanation" in entry)
    place = explanation.index({"Decisions": "decisions/README.md"})
    records = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("0*.md"))
    explanation[place] = {"Decisions": [f"decisions/{name}" for name in ("README.md", *records)]}
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/."""
    _set_up()
    for name in PROJECT_PAGES:
        files.append(File.generated(config, f"project/{name}", content=(ROOT / name).read_text(encoding="utf-8")))
    files.append(File.generated(config, "reference/commands.md", content=commands_page()))
    files.append(File.generated(config, "reference/api.md", content=api_page()))
    for picture in (ROOT / "docs").glob("*.png"):
        if not files.get_file_from_path(picture.name):
            files.append(File(picture.name, str(ROOT / "docs"), config.site_dir, use_directory_urls=False))
    return files


def on_page_markdown(markdown: str, page: Page, files: Files, **_: Any) -> str:
    """Have links lead where the site has things; what it does not have is named, and not linked to."""
    here = page.file.src_uri
    place = here.removeprefix("project/") if here.startswith("project/") else f"docs/{here}"

    def moved(match: re.Match[str]) -> str:
        target, heading = match[1], match[2] or ""
        if not target or "://" in target or target.startswith("mailto:"):
            return match[0]
        path = os.path.normpath(Path(place).parent / target)
        there = path.removeprefix("docs/") if path.startswith("docs/") else f"project/{path}"
        if files.get_file_from_path(there) is None:
            return f"] (`{path}`)"
        return f"]({os.path.relpath(there, Path(here).parent)}{heading})"

    return re.sub(r"\[([^\]]*)\] \((`[^`]*`)\)", r"\1 (\2)", LINK.sub(moved, markdown))


def _set_up() -> None:
    """Load the application, with nothing of whoever builds the site."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flavorsync_project.settings")
    os.environ["ENV_FILE"] = os.devnull
    os.environ["SECRET_KEY"] = "of-the-documentation"  # noqa: S105 — nothing is signed
    import django

    django.setup()


def commands_page() -> str:
    """Return the reference of our commands."""
    from django.core.management import get_commands, load_command_class

    from flavorsync_project.command_line import ours

    lines = [
        "# Commands",
        "",
        "Made from the commands' own parsers. [Using commands](../commands.md) shows them at work.",
        "",
    ]
    for name in ours():
        command = load_command_class(get_commands()[name], name)
        parser = command.create_parser("flavor-sync", name)
        lines += [f"## {name}", "", _escaped(str(command.help)), "", "```text"]
        lines += [f"flavor-sync {name} {example}".rstrip() for example in _examples(command, name)]
        lines += ["```", "", *_options(parser), ""]
    return "\n".join(lines)


def _examples(command: Any, name: str) -> Iterator[str]:
    for example in command.examples:
        yield example.partition(f"manage.py {name}")[2].strip()


def _options(parser: ArgumentParser) -> Iterator[str]:
    """Yield a table of a command's own arguments."""
    from django.core.management.base import DjangoHelpFormatter

    own = [
        action for action in parser._actions if not set(action.option_strings) & {*DjangoHelpFormatter.show_last, "-h"}
    ]
    if own:
        yield "| argument | what |"
        yield "| --- | --- |"
    for action in own:
        help_text = (action.help or "") % {"default": action.default, "prog": "flavor-sync"}
        yield f"| `{_spelled(action)}` | {_escaped(help_text)} |"


def _spelled(action: Action) -> str:
    names = ", ".join(action.option_strings)
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if not names:
        return metavar
    return names if action.nargs == 0 else f"{names} {metavar}"


def api_page() -> str:
    """Return the reference of the API's operations."""
    from drf_spectacular.generators import SchemaGenerator

    document = SchemaGenerator().get_schema(request=None, public=True)
    lines = [
        "# The API, by operation",
        "",
        "Made from the OpenAPI document, which a running service has at `/v1/schema`.",
    ]
    lines += ["[The contract](../api.md) says what holds for all of it.", ""]
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                lines += _operation(path, method, item[method])
    return "\n".join(lines)


def _operation(path: str, method: str, operation: Any) -> Iterator[str]:
    yield f"## {method.upper()} {path}"
    yield ""
    yield _escaped(operation.get("description") or operation.get("summary", ""))
    yield ""
    parameters = operation.get("parameters", [])
    if parameters:
        yield "| parameter | in | what |"
        yield "| --- | --- | --- |"
    for parameter in parameters:
        yield f"| `{parameter['name']}` | {parameter['in']} | {_escaped(parameter.get('description', ''))} |"
    yield ""
    yield "| status | answer |"
    yield "| --- | --- |"
    for status, response in operation["responses"].items():
        yield f"| {status} | {_escaped(response.get('description', ''))} |"
    yield ""


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("{", "&#123;")
