"""The gate of known vulnerabilities: pip-audit over everything that is pinned.

It asks a service on the network. If that cannot be reached, the gate says so and passes; nothing else makes it pass.
With AUDIT_ADVISORIES it asks nobody, and looks into that copy of the advisories instead (scripts/advisories.py).
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

# Run as a program, it has its own folder on the path; as a module of the tests, the project's.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from scripts.advisories import pins, vulnerabilities

REQUIREMENTS = ("requirements-dev.txt", "requirements-mysql.txt")
SECONDS = 240
UNREACHABLE = re.compile(r"ConnectionError|ConnectTimeout|ReadTimeout|SSLError|ProxyError|NameResolutionError")
NOT_AUDITED = "Nothing was audited: the service that knows about vulnerabilities cannot be reached from here."


def judge(output: str, complaints: str) -> tuple[int, list[str]]:
    """Return the exit status of what pip-audit printed, and the lines that say why."""
    try:
        dependencies: list[dict[str, Any]] = json.loads(output)["dependencies"]
    except (ValueError, LookupError, TypeError):
        if UNREACHABLE.search(complaints):
            return 0, [NOT_AUDITED]
        return 1, ["pip-audit failed:", *complaints.splitlines()[-5:]]
    skipped = [dependency["skip_reason"] for dependency in dependencies if "skip_reason" in dependency]
    if dependencies and len(skipped) == len(dependencies):
        return 0, [NOT_AUDITED]
    known = [
        f"{dependency['name']} {dependency['version']}: {', '.join([vulnerability['id'], *vulnerability['aliases']])},"
        f" fixed in {', '.join(vulnerability['fix_versions']) or 'no version yet'}"
        for dependency in dependencies
        for vulnerability in dependency.get("vulns", ())
    ]
    return int(bool(known or skipped)), [
        *known,
        *skipped,
        f"{len(dependencies)} packages, {len(known)} vulnerabilities",
    ]


def offline(copy: str) -> tuple[int, list[str]]:
    """Return the exit status of what a copy of the advisories says, and the lines that say why."""
    pinned = pins(map(Path, REQUIREMENTS))
    try:
        read, known = vulnerabilities(pinned, Path(copy))
    except (OSError, ValueError, LookupError) as error:
        return 1, [f"AUDIT_ADVISORIES cannot be read: {error}"]
    return int(bool(known)), [*known, f"{len(pinned)} packages, {len(known)} vulnerabilities, in {read} advisories"]


def main() -> int:
    """Run pip-audit, or look into a copy of the advisories, and print the outcome."""
    if copy := os.environ.get("AUDIT_ADVISORIES"):
        status, lines = offline(copy)
        print(*lines, sep="\n")  # noqa: T201
        return status
    options = ["--require-hashes", "--disable-pip", "--progress-spinner=off", "--format=json"]
    files = [f"--requirement={name}" for name in REQUIREMENTS]
    try:
        audit = subprocess.run(  # noqa: S603 — its arguments are all above
            [sys.executable, "-m", "pip_audit", *files, *options],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        status, lines = 0, [NOT_AUDITED]
    else:
        status, lines = judge(audit.stdout, audit.stderr)
    print(*lines, sep="\n")  # noqa: T201
    return status


if __name__ == "__main__":
    sys.exit(main())
