"""The command of docs/operations.md that copies an SQLite database which is in use."""

import os
import re
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]


def test_the_copy_is_a_service_that_answers_the_same(tmp_path: Path) -> None:
    key = Fernet.generate_key().decode()

    def manage(database: str, *arguments: str) -> str:
        settings = {"DATABASE_URL": f"sqlite:///{tmp_path / database}", "ENV_FILE": os.devnull, "SECRET_KEY": "x" * 50}
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=os.environ | settings | {"FIELD_ENCRYPTION_KEYS": key, "OS_PASSWORD": "of the cloud"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    manage("db.sqlite3", "migrate")
    account = ["--keystone-url", "https://keystone.example.org", "--username", "u", "--tenant", "t"]
    manage("db.sqlite3", "register_infrastructure", "Mordor", *account)
    (command,) = re.findall(r"^\$ (python3 -c '.*VACUUM.*)$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    in_use = sqlite3.connect(tmp_path / "db.sqlite3")
    try:
        in_use.execute("SELECT count(*) FROM infrastructures_infrastructure").fetchone()
        subprocess.run([sys.executable, *shlex.split(command)[1:]], cwd=tmp_path, check=True)
    finally:
        in_use.close()

    listed = manage("backup.sqlite3", "list_infrastructures", "--json")
    assert "Mordor" in listed
    assert listed == manage("db.sqlite3", "list_infrastructures", "--json")
    assert manage("backup.sqlite3", "prepare", "--dry-run") == "An administrator to make: admin\n"
    assert manage("backup.sqlite3", "rotate_encryption_keys") == "1 password encrypted anew.\n"
