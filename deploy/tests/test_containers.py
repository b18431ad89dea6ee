"""The image, the compose file and the manifests: what they name is there, and Kubernetes would take them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from flavorsync_project.command_line import OF_DJANGO, ours
from flavorsync_project.environment import SETTINGS

DEPLOY = Path(__file__).resolve().parents[1]
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
COMPOSE = DEPLOY / "compose" / "compose.yaml"
NAMES = {*SETTINGS, *(f"{name}_FILE" for name, setting in SETTINGS.items() if setting.kind.is_secret)}
KUBERNETES = "1.30"
GRACE = {"web": 250, "worker": 600, "scheduler": 60}


def _documents(file: Path) -> list[Any]:
    return list(yaml.safe_load_all(file.read_text(encoding="utf-8")))


def _pods() -> Iterator[tuple[str, Any]]:
    for file in MANIFESTS:
        for document in _documents(file):
            if document["kind"] in ("Deployment", "Job"):
                yield document["metadata"]["name"].removeprefix("flavor-sync-"), document["spec"]["template"]["spec"]


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.name)
def test_kubernetes_takes_the_manifests(file: Path) -> None:
    for document in _documents(file):
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


def test_there_is_a_pod_for_each_process_and_each_runs_a_command_of_ours() -> None:
    pods = dict(_pods())
    assert set(pods) == {"web", "worker", "scheduler", "migrate"}
    for name, pod in pods.items():
        (container,) = pod["containers"]
        assert container["args"][0] in {*ours(), *OF_DJANGO}
        assert pod["terminationGracePeriodSeconds"] == GRACE.get(name, 60)


@pytest.mark.parametrize(("name", "pod"), list(_pods()), ids=[name for name, _ in _pods()])
def test_no_pod_can_do_more_than_it_needs(name: str, pod: Any) -> None:
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    (container,) = pod["containers"]
    confined = container["securityContext"]
    assert (confined["readOnlyRootFilesystem"], confined["allowPrivilegeEscalation"]) == (True, False)
    assert confined["capabilities"] == {"drop": ["ALL"]}
    assert "env" not in container, "secrets are files"


def test_the_probes_ask_what_there_is() -> None:
    web = dict(_pods())["web"]["containers"][0]
    assert web["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    assert web["livenessProbe"]["httpGet"]["path"] == web["startupProbe"]["httpGet"]["path"] == "/health/live"
    (settings,) = _documents(DEPLOY / "kubernetes" / "settings.yaml")
    assert "localhost" in settings["data"]["ALLOWED_HOSTS"].split(",")  # which the probes send as Host


def test_they_set_what_there_is_to_set() -> None:
    (settings,) = _documents(DEPLOY / "kubernetes" / "settings.yaml")
    (compose,) = _documents(COMPOSE)
    for given in (settings["data"], compose["services"]["web"]["environment"]):
        assert set(given) <= NAMES
        assert {"DATABASE_URL_FILE", "SECRET_KEY_FILE", "FIELD_ENCRYPTION_KEYS_FILE"} <= set(given)
        assert not {name for name in SETTINGS if SETTINGS[name].kind.is_secret} & set(given) - {"CACHE_URL"}


def test_compose_runs_each_process_after_the_migrations() -> None:
    (compose,) = _documents(COMPOSE)
    services = compose["services"]
    for name, seconds in GRACE.items():
        service = services[name]
        assert service["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["stop_grace_period"] == f"{seconds}s"
    named = {name for service in services.values() for name in service.get("secrets", [])}
    assert named == set(compose["secrets"])


def test_both_ways_to_build_the_image_make_the_same_of_it() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    script = (DEPLOY.parent / "scripts" / "image").read_text(encoding="utf-8")
    assert 'ENTRYPOINT ["flavor-sync"]' in dockerfile
    assert "--config.entrypoint flavor-sync" in script
    (command,) = re.findall(r"^CMD \[(.*)\]$", dockerfile, re.MULTILINE)
    assert re.findall(r"--config\.cmd (\S+)", script) == re.findall(r'"([^"]+)"', command)
    for setting in re.findall(r"(\w+=\S+)", dockerfile.partition("\nENV ")[2].partition("\n")[0])[1:]:
        assert f"--config.env {setting}" in script
    assert "requirements-mysql.txt" in dockerfile
    assert "requirements-mysql.txt" in script
    assert "USER 10001:10001" in dockerfile
    assert "--config.user 10001:10001" in script
