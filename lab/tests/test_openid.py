"""The OpenID provider of the lab: there where it can be, and a lab without it where it cannot."""

from pathlib import Path

import pytest

from lab import Lab, people, seed, services
from lab.install import has_openid
from lab.tests.conftest import Ask


@pytest.mark.lab
@pytest.mark.skipif(not has_openid(), reason="it takes Node.js and npm")
def test_it_says_where_what_is_needed_is(lab: Lab, ask: Ask) -> None:
    metadata = ask(f"{lab.openid_url}/.well-known/openid-configuration").body
    assert metadata["issuer"] == lab.openid_url
    assert metadata["userinfo_endpoint"] == f"{lab.openid_url}/user"
    assert metadata["revocation_endpoint"]
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert ask(f"{lab.openid_url}/user?access_token=made-up").status == 401
    assert lab.environment()["OPENID_URL"] == lab.openid_url


@pytest.mark.lab
@pytest.mark.skipif(not has_openid(), reason="it takes Node.js and npm")
def test_no_token_is_logged(lab: Lab, ask: Ask) -> None:
    with lab.counting() as served:
        ask(f"{lab.openid_url}/user?access_token=sentinel-of-a-token")
    assert served["openid"] == {"GET /user": 1}
    daemon = lab.daemons()["openid"]
    assert "sentinel" not in daemon.access_log.read_text() + daemon.output.read_text()


@pytest.mark.lab
def test_a_role_that_is_taken_away_is_gone_and_comes_back(lab: Lab, ask: Ask) -> None:
    user = f"{lab.idm_url}/user?access_token={seed.idm_token('manager')}"
    with people.without_roles(lab.folder, "manager"):
        assert ask(user).body["roles"] == []
    assert [role["name"] for role in ask(user).body["roles"]] == ["InfrastructureManager"]


def test_a_lab_without_nodejs_is_a_lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("lab.install.OPENID", tmp_path / "nowhere")
    assert not has_openid()
    assert "openid" not in services.names()
    assert "idm" in services.names()
