"""scripts/release builds what a release consists of."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from scripts.bom import written
from scripts.tests.checkout import ROOT


@pytest.mark.process
@pytest.mark.thorough
def test_a_release_names_all_that_it_needs_with_hashes_and_licences(tmp_path: Path) -> None:
    command = [ROOT / "scripts" / "release", tmp_path]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert built.returncode == 0, built.stderr
    (bill_file,) = tmp_path.glob("*.cdx.json")
    bill = json.loads(bill_file.read_text())
    pinned = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    assert {component["name"]: component["version"] for component in bill["components"]} == pinned
    assert all(component["externalReferences"][0]["hashes"] for component in bill["components"])
    # The one that may be missing is needed on Windows alone, so it need not be installed here.
    assert {component["name"] for component in bill["components"] if "licenses" not in component} <= {"colorama"}
    licensed = dict(line.split(" ", 1) for line in (tmp_path / "licences.txt").read_text().splitlines())
    assert licensed["django"].endswith(": BSD-3-Clause")
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=tmp_path, check=True)


def test_what_is_not_cyclonedx_is_not_published() -> None:
    component = {"type": "library", "name": "django", "licenses": [{"license": {"id": "BSD-3-Clause"}}]}
    bill = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [component]}
    assert json.loads(written(bill)) == bill
    component["licenses"] = [{"license": {"id": "Nobody knows"}}]
    with pytest.raises(SystemExit, match=r"no CycloneDX: \$\.components\[0\]\.licenses: .*Nobody knows"):
        written(bill)
