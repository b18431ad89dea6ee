"""What the project's own source says of itself, for the tests that compare it with the documentation."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_SETTING = re.compile(r"[A-Z][A-Z0-9_]+\Z")


def setting_names() -> frozenset[str]:
    """Return every variable of the environment that settings.py reads, without importing it."""
    tree = ast.parse((ROOT / "flavorsync_project" / "settings.py").read_text(encoding="utf-8"))
    return frozenset(
        argument.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and _reads_environment(call.func)
        for argument in call.args[:1]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str) and _SETTING.match(argument.value)
    )


def _reads_environment(function: ast.expr) -> bool:
    """Say whether *function* is a method of `env` or of os.environ, or `_database`, which passes the name on."""
    if isinstance(function, ast.Name):
        return function.id == "_database"
    if not isinstance(function, ast.Attribute):
        return False
    owner = function.value
    name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
    return name in {"env", "environ"}
