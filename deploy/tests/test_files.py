"""What the files of deploy/ say about the rest of the project is true."""

import re
from pathlib import Path

import pytest

from flavorsync_project import settings
from testing.source import setting_names

DEPLOY = Path(__file__).resolve().parents[1]
FIGURES = "/run/flavor-sync/metrics"


def _read(name: str) -> str:
    return (DEPLOY / name).read_text()


def test_the_example_of_an_environment_names_settings_that_there_are() -> None:
    text = _read("environment.example")
    named = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", text, re.MULTILINE))
    assert named <= setting_names()
    assert named >= {"SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "DATABASE_URL", "METRICS_TOKEN", "HTTPS", "NUM_PROXIES"}


@pytest.mark.parametrize("program", ["web", "worker", "scheduler"])
def test_all_processes_write_their_figures_into_one_folder_that_there_is(program: str) -> None:
    """Under supervisor and under systemd, whose units can write nowhere else."""
    made = re.findall(r"^d (\S+) 0700 flavor-sync flavor-sync -$", _read("tmpfiles.d/flavor-sync.conf"), re.MULTILINE)
    assert made == [FIGURES]
    (section,) = re.findall(
        rf"^\[program:{program}\]\n((?:(?!\[).*\n)+)", _read("supervisor/flavor-sync.conf"), re.MULTILINE
    )
    assert f'PROMETHEUS_MULTIPROC_DIR="{FIGURES}"' in section
    unit = _read(f"systemd/flavor-sync-{program}.service")
    assert f"\nEnvironment=PROMETHEUS_MULTIPROC_DIR={FIGURES}\n" in unit
    (writable,) = re.findall(r"^ReadWritePaths=(.+)$", unit, re.MULTILINE)
    assert FIGURES.startswith(writable)


def _number(pattern: str, file: str) -> int:
    (found,) = re.findall(pattern, _read(file), re.MULTILINE)
    return int(found)


def _of_web_under_supervisor(name: str) -> int:
    return _number(rf"^\[program:web\]\n(?:(?!\[).*\n)*?{name}=(\d+)$", "supervisor/flavor-sync.conf")


def test_nothing_ends_a_request_that_nginx_waits_for() -> None:
    """Neither a reload, nor a stop, nor a stop that has to wait for a reload."""
    waits = _number(r"^ *proxy_read_timeout (\d+)s;$", "nginx/flavor-sync.conf")
    graceful = _number(r"^graceful_timeout = (\d+)$", "../flavorsync_serving/gunicorn.conf.py")
    assert graceful >= waits
    patience = {
        "supervisor": _of_web_under_supervisor("stopwaitsecs"),
        "systemd": _number(r"^TimeoutStopSec=(\d+)$", "systemd/flavor-sync-web.service"),
        "the container": _number(r"--stop-timeout (\d+) --env-file environment flavor-sync$", "Dockerfile"),
    }
    assert {name for name, seconds in patience.items() if seconds <= 2 * graceful} == set()
    assert len(set(patience.values())) == 1


def test_nginx_and_the_application_refuse_the_same_bodies() -> None:
    assert "client_max_body_size 1m;" in _read("nginx/flavor-sync.conf")
    assert settings.DATA_UPLOAD_MAX_MEMORY_SIZE == 1024 * 1024
