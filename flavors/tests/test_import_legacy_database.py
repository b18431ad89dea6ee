"""`import_legacy_database`: what a database of flavor-sync 1.0 holds, on SQLite and on MariaDB."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db.utils import ConnectionHandler, OperationalError

from flavors.models import Flavor, Installation
from infrastructures.models import Infrastructure
from testing.flavors import make_flavor
from testing.shell import shell

pytestmark = [pytest.mark.django_db, pytest.mark.database]

SENTINEL = "sentinel-of-a-password"
# As its SQLAlchemy models make them on MySQL
TABLES = (
    """CREATE TABLE infrastructure (name VARCHAR(30) NOT NULL PRIMARY KEY, nova_url VARCHAR(60),
       keystone_url VARCHAR(60), username VARCHAR(60), password VARCHAR(60), tenant VARCHAR(60))""",
    """CREATE TABLE flavor (id VARCHAR(36) NOT NULL PRIMARY KEY, name VARCHAR(30) UNIQUE, vcpus INTEGER, ram INTEGER,
       disk INTEGER, swap INTEGER, public BOOL, promoted BOOL)""",
    """CREATE TABLE flavor_infrastructure_link (
       flavor_id VARCHAR(36) NOT NULL, infrastructure_name VARCHAR(30) NOT NULL,
       PRIMARY KEY (flavor_id, infrastructure_name))""",
)
INFRASTRUCTURES = [
    ("Spain2", "http://nova", "http://keystone.example.org:5000/v2.0", "us", SENTINEL, "ours"),
    ("Mordor", "", "https://mordor.example.org", "us", SENTINEL, "ours"),
    ("Broken", "", "not a URL", "us", SENTINEL, "ours"),
    ("Empty", "", "https://empty.example.org", "us", None, ""),
]
FLAVORS = [
    ("1", "m1.tiny", 1, 512, 1, 0, True, False),
    ("2", "größer", 4, 8192, 80, None, True, True),
    ("3", "promoted.alone", 1, 1, 0, 64, False, True),
    ("4", "private", 1, 512, 1, 0, False, False),
    ("5", "no.ram", 1, 0, 1, 0, True, False),
    ("6", "nothing", None, 512, 1, 0, True, False),
]
LINKS = [
    ("1", "Spain2"),
    ("1", "Mordor"),
    ("2", "Spain2"),
    ("4", "Spain2"),
    ("5", "Spain2"),
    ("2", "Broken"),
    ("9", "Mordor"),
]
SAID = [
    "infrastructure Broken: refused: keystone_url: must be an http or https URL",
    "infrastructure Empty: refused: it has no password, tenant.",
    "infrastructure Mordor: created",
    "infrastructure Spain2: created",
    "flavor größer (2): created",
    "flavor m1.tiny (1): created",
    "flavor no.ram (5): refused: ram: Ensure this value is greater than or equal to 1.",
    "flavor nothing (6): refused: vcpus: This field cannot be null.",
    "flavor private (4): left out: a private flavor stays in its cloud's Nova",
    "flavor promoted.alone (3): created",
    "installation 1 in Mordor: created",
    "installation 1 in Spain2: created",
    "installation 2 in Broken: refused: the infrastructure was not taken.",
    "installation 2 in Spain2: created",
    "installation 5 in Spain2: refused: the flavor was not taken.",
    "installation 9 in Mordor: refused: the flavor was not taken.",
    "8 created, 0 known, 1 left out, 7 refused.",
]

Fill = Callable[[str, list[tuple[Any, ...]]], object]


def fill(execute: Fill, mark: str) -> None:
    """Create and fill the tables."""
    for statement in TABLES:
        execute(statement, [()])
    execute(f"INSERT INTO infrastructure VALUES ({', '.join([mark] * 6)})", INFRASTRUCTURES)
    execute(f"INSERT INTO flavor VALUES ({', '.join([mark] * 8)})", FLAVORS)
    execute(f"INSERT INTO flavor_infrastructure_link VALUES ({mark}, {mark})", LINKS)


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    """The URL of an old database in a file whose name needs care."""
    path = tmp_path / "old database #1.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        fill(connection.executemany, "?")
        connection.commit()
    return f"sqlite:///{tmp_path}/old%20database%20%231.sqlite"


@pytest.fixture
def mariadb() -> Iterator[str]:
    """The URL of an old database on the MariaDB of this machine, if it has one."""
    name = f"legacy_{uuid4().hex}"
    pytest.importorskip("MySQLdb")
    server = {
        "ENGINE": "django.db.backends.mysql",
        "HOST": "127.0.0.1",
        "USER": "root",
        "OPTIONS": {"charset": "utf8mb4"},
    }
    connection = ConnectionHandler({"default": {}, "server": server})["server"]
    try:
        connection.connect()
    except OperationalError as error:
        pytest.skip(f"no MariaDB: {error}")
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        cursor.execute(f"USE {name}")
        fill(cursor.executemany, "%s")
    yield f"mysql://root@127.0.0.1:3306/{name}"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name}")
    connection.close()


@pytest.fixture(params=["sqlite", "mariadb"])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of an old database."""
    found: str = request.getfixturevalue(request.param)
    return found


def everything() -> list[list[dict[str, Any]]]:
    tables = (Infrastructure.objects, Flavor.objects, Installation.objects)
    return [[dict(row) for row in table.order_by("pk").values()] for table in tables]


def test_takes_what_it_can_and_says_what_not_and_why(url: str) -> None:
    answer = shell("import_legacy_database", "--database", url)
    assert answer.output.splitlines() == SAID
    assert (answer.error, answer.status) == ("7 of 16 could not be imported.", 1)
    assert SENTINEL not in answer.output
    spain2 = Infrastructure.objects.get(name="Spain2")
    assert (spain2.keystone_url, spain2.username, spain2.tenant, spain2.get_password()) == (
        "http://keystone.example.org:5000/v2.0", "us", "ours", SENTINEL,
    )  # fmt: skip
    members = ("flavorid", "name", "vcpus", "ram", "disk", "swap", "public", "promoted")
    assert list(Flavor.objects.order_by("flavorid").values_list(*members)) == [
        ("1", "m1.tiny", 1, 512, 1, 0, True, False),
        ("2", "größer", 4, 8192, 80, 0, True, True),
        ("3", "promoted.alone", 1, 1, 0, 64, True, True),
    ]
    nodes = {flavor.flavorid: flavor.nodes for flavor in Flavor.objects.with_nodes()}
    assert nodes == {"1": ["Mordor", "Spain2"], "2": ["Spain2"], "3": []}


def test_taking_it_again_changes_nothing(url: str) -> None:
    shell("import_legacy_database", "--database", url)
    before = everything()
    answer = shell("import_legacy_database", "--database", url)
    assert answer.lines[-1] == "0 created, 8 known, 1 left out, 7 refused."
    assert answer.status == 1
    assert everything() == before


def test_the_dry_run_says_the_same_and_takes_nothing(url: str) -> None:
    answer = shell("import_legacy_database", "--database", url, "--dry-run")
    assert answer.output.splitlines() == [line.replace(": created", ": to be created") for line in SAID]
    assert answer.status == 1
    assert everything() == [[], [], []]


def test_says_it_in_json(sqlite: str) -> None:
    document = shell("import_legacy_database", "--database", sqlite, "--json").document
    assert [f"{row['kind']} {row['name']}" for row in document] == [line.split(":")[0] for line in SAID[:-1]]
    assert document[1] == {
        "kind": "infrastructure",
        "name": "Empty",
        "outcome": "refused",
        "reason": "it has no password, tenant.",
    }


def test_all_taken_is_a_success(sqlite: str) -> None:
    with closing(sqlite3.connect(sqlite.removeprefix("sqlite:///").replace("%20", " ").replace("%23", "#"))) as old:
        old.execute("DELETE FROM infrastructure WHERE name IN ('Broken', 'Empty')")
        old.execute("DELETE FROM flavor WHERE id IN ('5', '6')")
        old.execute(
            "DELETE FROM flavor_infrastructure_link WHERE flavor_id IN ('5', '9') OR infrastructure_name='Broken'"
        )
        old.commit()
    answer = shell("import_legacy_database", "--database", sqlite)
    assert (answer.lines[-1], answer.error, answer.status) == ("8 created, 0 known, 1 left out, 0 refused.", "", 0)


def test_what_is_here_otherwise_stays_as_it_is(sqlite: str) -> None:
    make_flavor(flavorid="1", name="m1.tiny", vcpus=1, ram=512, disk=2, swap=9)
    make_flavor(flavorid="77", name="GRÖSSER".replace("SS", "ß"))
    Infrastructure.objects.create(name="Spain2")
    answer = shell("import_legacy_database", "--database", sqlite)
    assert "flavor m1.tiny (1): refused: the catalogue has it with different values (disk, swap)." in answer.output
    assert (
        "infrastructure Spain2: refused: "
        "Spain2 is already registered with different values (keystone_url, username, password, tenant)."
    ) in answer.output
    assert Flavor.objects.get(flavorid="1").disk == 2
    assert not Infrastructure.objects.get(name="Spain2").has_credentials


def test_the_old_database_is_left_alone(sqlite: str) -> None:
    path = Path(sqlite.removeprefix("sqlite:///").replace("%20", " ").replace("%23", "#"))
    path.chmod(0o400)
    before = path.read_bytes()
    shell("import_legacy_database", "--database", sqlite)
    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name]


def test_the_url_may_be_in_the_environment(sqlite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEGACY_DATABASE_URL", sqlite)
    assert shell("import_legacy_database").lines[-1].startswith("8 created")
    monkeypatch.delenv("LEGACY_DATABASE_URL")
    answer = shell("import_legacy_database")
    assert answer.error == "Which database? Give --database, or the variable LEGACY_DATABASE_URL."
    assert answer.status == os.EX_USAGE


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:////nowhere/at/all", "The database cannot be read: unable to open database file."),
        ("postgres://user:sentinel-of-a-password@127.0.0.1/x", "The database's URL must begin with mysql:// or sqlite:///."),
        ("mysql://host:port/x", "The database's URL is malformed."),
        ("sqlite:////nowhere?timeout=a", "The database's URL has an option or a name that cannot be used."),
        ("mysql://us:sentinel-of-a-password@127.0.0.1/x?no=such", "The database's URL has an option or a name"),
        ("other:sentinel-of-a-password", "The database's URL must begin with mysql:// or sqlite:///."),
        ("mysql://us:sentinel-of-a-password@127.0.0.1:1/x", "The database cannot be read: Can't connect to "),
    ],
)  # fmt: skip
def test_a_database_that_cannot_be_read_is_one_clear_line(url: str, message: str) -> None:
    if url.startswith("mysql"):
        pytest.importorskip("MySQLdb")
    answer = shell("import_legacy_database", "--database", url)
    assert answer.error.startswith(message)
    assert (answer.output, answer.status, SENTINEL in answer.error) == ("", 1, False)


def test_another_database_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database at all, but some text", encoding="utf-8")
    sqlite3.connect(tmp_path / "empty").close()
    (tmp_path / "empty").touch()
    for name, message in (("text", "file is not a database."), ("empty", "no such table: infrastructure.")):
        answer = shell("import_legacy_database", "--database", f"sqlite:///{tmp_path / name}")
        assert (answer.error, answer.status) == (f"The database cannot be read: {message}", 1)
