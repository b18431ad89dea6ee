"""Write a version wherever it stands, and the changelog's heading: what scripts/release --cut does.

A candidate (1.0.0rc1) and what is being developed (1.1.0.dev0) have no heading of their own in the changelog: what is
new in them stands under Unreleased.
"""

import re
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from packaging.version import InvalidVersion, Version

ROOT = Path(__file__).resolve().parents[1]
PLACES = {
    "pyproject.toml": r'^version = "(.+)"$',
    "flavorsync_project/__init__.py": r'^__version__ = "(.+)"$',
    "deploy/kubernetes/*.yaml": r"^ +image: registry\.example\.org/flavor-sync:(\S+)$",
    "docs/installing.md": r"flavor_sync-(\S+)-py3-none-any\.whl",
}
"""Where the version stands, as a pattern of file names and one of text."""
FORM = r"\d+\.\d+\.\d+(rc[1-9]\d*|\.dev\d+)?"
UNRELEASED = "## [Unreleased]\n"


class CannotCut(Exception):
    """The reason why this version is not written."""


def versions(root: Path) -> dict[str, set[str]]:
    """Return the versions that each file names, of those that name one."""
    named = {
        str(path.relative_to(root)): set(re.findall(pattern, path.read_text(encoding="utf-8"), re.MULTILINE))
        for names, pattern in PLACES.items()
        for path in sorted(root.glob(names))
    }
    return {path: found for path, found in named.items() if found}


def cut(root: Path, version: str, today: date) -> None:
    """Write a version into the files of *root*, and what is unreleased under its heading if it is final.

    Raises:
        CannotCut: it is no version, or not a later one, or the changelog has nothing new; no file is changed.
    """
    _require_later(version, than=next(iter(versions(root)["pyproject.toml"])))
    changelog = root / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8")
    if not Version(version).is_prerelease:
        text = _with_heading(text, f"## [{version}] - {today}\n")
    for names, pattern in PLACES.items():
        for path in root.glob(names):
            _replace(path, pattern, version)
    changelog.write_text(text, encoding="utf-8")


def _require_later(version: str, *, than: str) -> None:
    if not re.fullmatch(FORM, version):
        raise CannotCut(f"'{version}' is no version: write it as 1.0.0, 1.0.0rc1 or 1.1.0.dev0.")
    try:
        if Version(version) > Version(than):
            return
    except InvalidVersion:
        pass
    raise CannotCut(f"{version} is not later than {than}, which pyproject.toml has.")


def _with_heading(changelog: str, heading: str) -> str:
    new = changelog.partition(UNRELEASED)[2].partition("\n## [")[0]
    if not new.strip():
        raise CannotCut("CHANGELOG.md has nothing under Unreleased: write there what is new.")
    return changelog.replace(UNRELEASED, f"{UNRELEASED}\n{heading}", 1)


def _replace(path: Path, pattern: str, version: str) -> None:
    def written(match: re.Match[str]) -> str:
        start, end = match.start(1) - match.start(), match.end(1) - match.start()
        return match[0][:start] + version + match[0][end:]

    path.write_text(re.sub(pattern, written, path.read_text(encoding="utf-8"), flags=re.MULTILINE), encoding="utf-8")


def main() -> None:
    """Write the version that is named."""
    (version,) = sys.argv[1:]
    try:
        cut(ROOT, version, datetime.now(UTC).date())
    except CannotCut as reason:
        sys.exit(f"release: {reason}")


if __name__ == "__main__":
    main()
