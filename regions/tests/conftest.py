"""Fixtures of the regions' tests."""

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from lab import Lab
from regions.tests.clouds import Cloud, Tokens
from testing.fixtures import BASIC, _lab_settings, api, lab, lab_without_clouds, wire
from testing.flavors import make_infrastructure
from testing.process import Process, a_database
from testing.proxy import NovaProxy
from testing.wire import Api

__all__ = ["_lab_settings", "api", "lab", "lab_without_clouds", "wire"]


FORGET_WATCHED = "from infrastructures.models import Replacement; Replacement.objects.all().delete()"


@pytest.fixture(scope="session")
def tokens(lab: Lab) -> Tokens:
    """Keystone tokens of the lab's users."""
    return Tokens(lab)


@pytest.fixture
def _regions(lab: Lab, db: None) -> None:
    """The lab's regions, known to us."""
    for name in ("Spain2", "Lannion2", "Isengard", "Moria"):
        make_infrastructure(name)
    make_infrastructure("Mordor", keystone_url=lab.mordor_keystone_url)


@pytest.fixture
def admin(api: Api, tokens: Tokens, _regions: None) -> Api:
    """The API for a user of the IdM who is an administrator of Spain2."""
    return api.having(BASIC | tokens("spain2-admin"))


@pytest.fixture
def member(api: Api, tokens: Tokens, _regions: None) -> Api:
    """The API for a user of the IdM who is a plain member of Spain2."""
    return api.having(BASIC | tokens("spain2-member"))


@pytest.fixture
def spain2(lab: Lab, tokens: Tokens) -> Iterator[Cloud]:
    """Spain2 as Nova itself shows it, brought back to its seed afterwards."""
    yield Cloud(lab, "Spain2", tokens)
    lab.reset("Spain2")


@pytest.fixture
def proxy(lab: Lab) -> Iterator[NovaProxy]:
    """A Nova for Isengard: Spain2's, behind a proxy that fails as told."""
    with NovaProxy(lab.nova_port("Isengard"), lab.nova_url("Spain2")) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def _database_of_process(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[str]:
    with django_db_blocker.unblock(), a_database(str(tmp_path_factory.mktemp("served"))) as url:
        yield url


@pytest.fixture(scope="session")
def _prepared_process(lab: Lab, _database_of_process: str) -> Iterator[Process]:
    """The service with its database, and the regions that the lab has."""
    process = Process(lab, _database_of_process)
    process.manage("migrate", "--no-input").check_returncode()
    for region in ("Spain2", "Isengard"):
        process.manage("register_infrastructure", region).check_returncode()
    yield process
    process.kill()


@pytest.fixture
def process(_prepared_process: Process) -> Iterator[Process]:
    """Flavor Sync as its own running process; what it watches afterwards is forgotten with the test's flavors."""
    _prepared_process.start()
    yield _prepared_process
    _prepared_process.manage("shell", "-c", FORGET_WATCHED).check_returncode()
