"""Write the bill of materials of a release: what requirements.txt has, with hashes and licences.

cyclonedx-py reads hashes from a requirements file, and licences from an environment, but not both from one.
"""

import json
import subprocess
import sys
import tomllib
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]


def read(*arguments: str) -> dict[str, Any]:
    """Return the bill that cyclonedx-py makes, which nobody has validated."""
    form = ("--output-reproducible", "--no-validate", "--of", "JSON")
    command = [sys.executable, "-m", "cyclonedx_py", *arguments, *form]
    made = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603 — a tool of ours
    bill: dict[str, Any] = json.loads(made.stdout)
    return bill


def licence(component: dict[str, Any]) -> str:
    """Return a component's licences in words: SPDX's where it names one."""
    kept = [item.get("expression") or item["license"].get("id") for item in found(component)]
    named = [name for name in kept if name] or [item["license"]["name"] for item in found(component)]
    return ", ".join(name.rpartition(" :: ")[2] for name in dict.fromkeys(named)) or "not named"


def found(component: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a component says about its licences."""
    licences: list[dict[str, Any]] = component.get("licenses", [])
    return licences


def in_words(name: str) -> list[dict[str, Any]]:
    """Return what an installed package calls its licence, which cyclonedx-py leaves out where it knows no such name."""
    text = metadata(name).get("License")
    return [{"license": {"name": text}}] if text else []


def written(bill: dict[str, Any]) -> str:
    """Return a bill's text, if it is one; this is what takes the time, so it is done once, with what is published."""
    text = json.dumps(bill, indent=2) + "\n"
    if wrong := JsonStrictValidator(SchemaVersion.from_version(bill["specVersion"])).validate_str(text):
        sys.exit(f"What the wheel needs would be no CycloneDX: {wrong.data.json_path}: {wrong.data.message}")
    return text


def main() -> None:
    """Write the bill and the list of licences into the folder that is named."""
    folder = Path(sys.argv[1])
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    bill = read("requirements", "requirements.txt", "--pyproject", "pyproject.toml")
    installed = {canonicalize_name(component["name"]): component for component in read("environment")["components"]}
    for component in bill["components"]:
        same = installed.get(canonicalize_name(component["name"]))
        if same and (licences := found(same) or in_words(same["name"])):
            component["licenses"] = licences
    (folder / f"flavor_sync-{version}.cdx.json").write_text(written(bill))
    rows = [f"{component['name']} {component['version']}: {licence(component)}" for component in bill["components"]]
    (folder / "licences.txt").write_text("\n".join(sorted(rows)) + "\n")


if __name__ == "__main__":
    main()
