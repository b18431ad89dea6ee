"""What the files of deploy/ say of the rest of the project is so."""

import re
from pathlib import Path

from deploy.tests.stack import SOURCES
from flavorsync_project import settings
from flavorsync_project.tests.source import setting_names

DEPLOY = Path(__file__).resolve().parents[1]


def test_the_example_of_an_environment_names_settings_that_there_are() -> None:
    text = (DEPLOY / "environment.example").read_text()
    named = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", text, re.MULTILINE))
    assert named <= setting_names()
    assert named >= {"SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "DATABASE_URL", "METRICS_TOKEN", "HTTPS", "NUM_PROXIES"}


def test_the_container_has_all_of_the_code() -> None:
    copied = set(re.findall(r"^COPY (?:--\S+ )?([\w./]+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE))
    assert copied >= set(SOURCES) - {"deploy"} | {"deploy/gunicorn.conf.py", "requirements.txt"}
    ours = [app for app in settings.INSTALLED_APPS if (DEPLOY.parent / app).is_dir()]
    assert copied >= set(ours)


def test_nginx_and_the_application_refuse_the_same_bodies() -> None:
    assert "client_max_body_size 1m;" in (DEPLOY / "nginx/flavor-sync.conf").read_text()
    assert settings.DATA_UPLOAD_MAX_MEMORY_SIZE == 1024 * 1024
