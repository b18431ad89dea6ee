"""The whole service from the files of deploy/: asked through nginx, killed, reloaded, backed up and restored."""

import http.client
import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from prometheus_client.parser import text_string_to_metric_families

from deploy.tests.stack import PATH, ROOT, Stack, children_of, exchange, is_alive, kill, running_stack, until
from lab import Lab, seed

pytestmark = [pytest.mark.lab, pytest.mark.stack]

BASIC = {"X-Auth-Token": seed.idm_token("basic")}
MANAGER = {"X-Auth-Token": seed.idm_token("manager")}
OWNER = {"X-Auth-Token": seed.idm_token("owner-mordor")}
METRICS_TOKEN = "metrics-token-of-the-tests"
SENTINEL = "SECRETTOKEN123"
FAILURES = 5
"""How many wrong passwords may come from an address."""
MEBIBYTE = 1024 * 1024
REQUEST_ID = re.compile(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SMALL = {"name": "fiware.small", "vcpus": 1, "ram": 2048, "disk": 20}


@pytest.fixture(scope="module")
def stack(lab: Lab) -> Iterator[Stack]:
    """The service, which every test here shares."""
    with running_stack(
        lab,
        SYNC_INTERVAL_MINUTES="1",
        SYNC_REPAIR="true",
        LOCAL_ACCOUNT_ADDRESS_FAILURE_RATE=f"{FAILURES}/hour",
        METRICS_TOKEN=METRICS_TOKEN,
    ) as made:
        yield made
    lab.reset()


@pytest.fixture(scope="module")
def story(stack: Stack) -> str:
    """The story of a flavor that is promoted and brought to a cloud by the worker; return its id."""
    created = stack.send("POST", "/v1/promotedflavors", MANAGER, {"flavor": SMALL})
    assert (created.status, created.json["flavor"]["nodes"]) == (201, []), created.body
    flavorid = str(created.json["flavor"]["id"])
    registered = stack.send("POST", "/v1/infrastructures", OWNER, {"infrastructure": registration(stack.lab)})
    assert (registered.status, registered.json) == (201, {"infrastructure": {"name": "Mordor"}})
    stack.control("start", "flavor-sync:scheduler")
    until(lambda: promoted(stack, flavorid)["nodes"] == ["Mordor"], "the worker has installed the flavor")
    return flavorid


def registration(lab: Lab) -> dict[str, str]:
    account = {"username": "mordor-admin", "password": seed.PASSWORD, "tenant": "mordor"}
    return {"name": "Mordor", "keystone_url": lab.mordor_keystone_url, **account}


def promoted(stack: Stack, flavorid: str) -> Any:
    answer = stack.send("GET", f"/v1/promotedflavors/{flavorid}", BASIC)
    assert answer.status == 200, answer.body
    return answer.json["flavor"]


def logs(stack: Stack) -> str:
    return "\n".join(file.read_text(errors="replace") for file in stack.log.iterdir())


def test_the_worker_brings_a_promoted_flavor_to_a_registered_cloud(stack: Stack, story: str) -> None:
    has = {flavor["id"]: flavor["name"] for flavor in stack.lab.flavors("Mordor")}
    assert has[story] == "fiware.small"
    listed = stack.send("GET", "/v1/promotedflavors", BASIC | {"Accept": "application/xml"})
    assert listed.headers["Content-Type"] == "application/xml; charset=utf-8"
    assert f'<flavor id="{story}">' in listed.body.decode()
    assert stack.send("GET", "/api/v1/regions/", BASIC).json == {
        "Infrastructures": [{"id": "Mordor", "name": "Mordor"}]
    }


def figure(stack: Stack, name: str, **labels: str) -> float:
    """Return a metric as monitoring reads it."""
    answer = stack.send("GET", "/metrics", {"Authorization": f"Bearer {METRICS_TOKEN}"})
    assert answer.status == 200
    return sum(
        sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
        if (sample.name, sample.labels) == (name, labels)
    )


@pytest.mark.usefixtures("story")
def test_what_the_worker_has_asked_clouds_is_in_the_figures_of_web(stack: Stack) -> None:
    """And stays there when the worker is gone; web itself has created no flavor here."""
    created = {"cloud": "Mordor", "kind": "nova_create", "outcome": "answered"}
    before = until(lambda: figure(stack, "flavorsync_upstream_calls_total", **created), "the call is counted")
    worker = stack.pid("worker")
    kill(worker)
    until(lambda: stack.pid("worker") not in (0, worker) and stack.running("worker"), "the worker is back")
    assert figure(stack, "flavorsync_upstream_calls_total", **created) == before
    files = [file.stat() for file in (stack.folder / "run/metrics").iterdir()]
    assert {file.st_uid for file in files} == {(stack.folder / "run/web.sock").stat().st_uid}


@pytest.mark.usefixtures("story")
def test_nothing_runs_as_root(stack: Stack) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can run programs as others")
    pids = [*(stack.pid(program) for program in ("web", "worker", "scheduler")), *stack.web_workers()]
    owners = {Path(f"/proc/{pid}").stat().st_uid for pid in pids}
    assert len(pids) >= 5
    assert owners == {(stack.folder / "run/web.sock").stat().st_uid}
    assert 0 not in owners or stack.user == "root"
    # Only nginx, which runs as another user, may use the socket.
    assert (stack.folder / "run").stat().st_mode & 0o7777 == 0o750
    assert stack.nginx_user != stack.user


def test_nginx_hands_out_the_static_files(stack: Stack) -> None:
    answer = stack.send("GET", "/static/flavorsync/look.css")
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "public, max-age=3600")
    assert answer.body == (ROOT / "flavorsync_project/static/flavorsync/look.css").read_bytes()
    page = stack.send("GET", "/")
    assert (page.status, "Content-Security-Policy" in page.headers) == (200, True)
    styles = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.body.decode())
    assert styles
    assert {stack.send("GET", path).status for path in styles} == {200}
    assert stack.send("GET", "/static/none.css").json == {"error": {"message": "There is nothing at this path"}}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "message", "allowed"),
    [
        ("TRACE", "/v1", {}, 405, "The method is not allowed here.", "GET, HEAD, OPTIONS, POST, PUT, DELETE"),
        ("POST", "/static/flavorsync/look.css", {}, 405, "The method is not allowed here.", "GET, HEAD"),
        ("GET", "/static/none.css", {}, 404, "There is nothing at this path", None),
        ("GET", "/static/flavorsync", {}, 404, "There is nothing at this path", None),
        ("GET", "/static/flavorsync/", {}, 404, "There is nothing at this path", None),
        (
            "POST",
            "/v1/flavors",
            {"Transfer-Encoding": "gzip"},
            501,
            "The only transfer coding that can be read is chunked.",
            None,
        ),
    ],
)
def test_what_nginx_refuses_by_itself_has_the_form_of_the_api(
    stack: Stack, method: str, path: str, headers: dict[str, str], status: int, message: str, allowed: str | None
) -> None:
    answer = stack.send(method, path, headers)
    assert (answer.status, answer.json) == (status, {"error": {"message": message}})
    assert (answer.headers["Content-Type"], answer.headers.get("Allow")) == ("application/json", allowed)
    assert REQUEST_ID.fullmatch(answer.headers["X-Openstack-Request-Id"])
    in_xml = stack.send(method, path, headers | {"Accept": "application/xml"})
    assert (in_xml.status, in_xml.headers["Content-Type"]) == (status, "application/xml")
    assert f"<error><message>{message}</message></error>" in in_xml.body.decode()


def test_a_version_of_http_that_nginx_does_not_speak_is_refused_likewise(stack: Stack) -> None:
    connection = stack.connect()
    connection.connect()
    connection.sock.sendall(b"GET /v1 HTTP/3.0\r\nHost: flavors.example.org\r\n\r\n")
    with http.client.HTTPResponse(connection.sock) as response:
        response.begin()
        assert (response.status, response.headers["Content-Type"]) == (505, "application/json")
        assert REQUEST_ID.fullmatch(response.headers["X-Openstack-Request-Id"])
        assert json.loads(response.read()) == {"error": {"message": "The version of HTTP is not supported."}}
    connection.close()


def test_a_body_of_a_mebibyte_is_read_and_a_larger_one_refused(stack: Stack) -> None:
    def of(size: int) -> bytes:
        return json.dumps({"flavor": SMALL | {"note": ""}}).encode().ljust(size)

    json_headers = MANAGER | {"Content-Type": "application/json"}
    read = stack.send("POST", "/v1/promotedflavors", json_headers | {"Accept": "*/*"}, body=b"!".ljust(MEBIBYTE - 1))
    assert read.status == 400
    refused = stack.send("POST", "/v1/promotedflavors", json_headers, body=of(MEBIBYTE + 1))
    assert (refused.status, refused.json) == (413, {"error": {"message": "The body is too large."}})
    assert refused.headers["Content-Type"] == "application/json"
    in_xml = json_headers | {"Accept": "application/xml"}
    refused = stack.send("POST", "/v1/promotedflavors", in_xml, body=of(MEBIBYTE + 1))
    assert refused.headers["Content-Type"] == "application/xml"
    assert b"<error><message>The body is too large.</message></error>" in refused.body


def test_every_answer_has_a_request_id_that_the_log_knows(stack: Stack) -> None:
    of_web = stack.send("GET", "/v1/regions").headers["X-Openstack-Request-Id"]
    of_nginx = stack.send("POST", "/v1/flavors", body=b"x" * (MEBIBYTE + 1)).headers["X-Openstack-Request-Id"]
    of_a_file = stack.send("GET", "/static/flavorsync/look.css").headers["X-Openstack-Request-Id"]
    assert len({of_web, of_nginx, of_a_file}) == 3
    for request_id in (of_web, of_nginx, of_a_file):
        assert REQUEST_ID.fullmatch(request_id)
        until(lambda: request_id in (stack.log / "flavor-sync.access.log").read_text(), "nginx has logged it")  # noqa: B023
    lines = [json.loads(line) for line in (stack.log / "web.log").read_text().splitlines() if of_web in line]
    assert [line["status"] for line in lines if line["logger"] == "flavorsync.access"] == [401]


def test_the_address_counted_is_the_clients_whatever_it_says(stack: Stack) -> None:
    # Each of web's two processes counts for itself, without a shared cache.
    most = FAILURES if stack.cache else 2 * FAILURES
    statuses = [try_password(stack, number, "127.0.0.2") for number in range(30)]
    assert set(statuses) == {401, 429}
    assert FAILURES <= statuses.count(401) <= most
    assert try_password(stack, 99, "127.0.0.3") == 401


def try_password(stack: Stack, number: int, address: str) -> int:
    """Try a password of somebody who is not there, from an address, and return the answer's status."""
    other = f"10.0.0.{number}"
    forged = {"X-Forwarded-For": other, "X-Real-Ip": other, "Forwarded": f"for={other}"}
    headers = forged | {"user": f"nobody{number}", "password": "x"}
    return stack.send("GET", "/v1/flavors", headers, address=address).status


def test_wrong_passwords_are_counted_by_both_of_webs_processes_together(stack: Stack) -> None:
    """In a Redis: without it, each of them would allow as many."""
    if not stack.cache:
        pytest.skip("there is no redis-server: each process counts for itself")
    statuses = []
    for waits in sorted(stack.web_workers()):
        os.kill(waits, signal.SIGSTOP)  # the other one answers
        try:
            statuses += [try_password(stack, number, "127.0.0.4") for number in range(FAILURES - 1)]
        finally:
            os.kill(waits, signal.SIGCONT)
    assert statuses == [401] * FAILURES + [429] * (FAILURES - 2)


def test_plain_http_is_refused_to_programs_and_redirected_for_people(stack: Stack) -> None:
    for path in ("/v1/flavors", "/api/v1", "/health/live"):
        refused = stack.send("GET", path, BASIC, plain=True)
        assert (refused.status, refused.json["error"]["message"]) == (403, "Flavor Sync is reached over HTTPS alone.")
        assert "Location" not in refused.headers
    assert stack.send("POST", "/admin/login/", body=b"", plain=True).status == 403
    page = stack.send("GET", "/admin/?next=%0d%0aX-Split:1", plain=True)
    assert (page.status, page.headers["Location"]) == (301, "https://flavors.example.org/admin/?next=%0d%0aX-Split:1")
    cookies = stack.send("GET", "/admin/login/").headers
    assert "; Secure" in cookies["Set-Cookie"]
    assert cookies["Strict-Transport-Security"]


def test_no_token_is_in_any_log_even_when_the_application_is_gone(stack: Stack) -> None:
    assert stack.send("GET", f"/v1/regions?access_token={SENTINEL}").status == 401
    stack.control("stop", "flavor-sync:web")
    try:
        gone = stack.send("GET", f"/v1/regions?access_token={SENTINEL}", {"X-Auth-Token": SENTINEL})
        assert (gone.status, gone.headers["Retry-After"]) == (503, "5")
        assert gone.json == {"error": {"message": "The service is not available right now."}}
        assert stack.send("GET", f"/v1/regions?access_token={SENTINEL}", plain=True).status == 403
    finally:
        stack.control("start", "flavor-sync:web")
        until(stack.answers, "web is back")
    assert "GET /v1/regions HTTP/1.1" in logs(stack)
    assert SENTINEL not in logs(stack)


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize(
    "program", ["web", *(pytest.param(name, marks=pytest.mark.thorough) for name in ("worker", "scheduler", "nginx"))]
)
def test_what_is_killed_comes_back(stack: Stack, program: str) -> None:
    before = until(lambda: stack.pid(program), f"{program} runs")
    children = children_of(before)
    kill(before)
    if program == "nginx":  # whose workers would go on without it, and keep its ports
        for child in children:
            kill(child)
    until(lambda: stack.pid(program) not in (0, before) and stack.running(program), f"{program} is back")
    until(stack.answers, "the service answers")
    until(lambda: not any(map(is_alive, children)), "nothing is left of what was killed")


def test_a_worker_of_gunicorns_that_is_killed_is_replaced(stack: Stack) -> None:
    master, before = stack.pid("web"), stack.web_workers()
    victim = min(before)
    kill(victim)
    until(lambda: len(stack.web_workers() - {victim}) == len(before), "another worker is there")
    assert stack.pid("web") == master
    assert stack.send("GET", "/v1").status == 200


@pytest.mark.thorough
def test_a_reload_under_load_loses_no_request(stack: Stack, story: str) -> None:
    ended = threading.Event()
    answered: list[tuple[int, str]] = []
    lost: list[str] = []

    def ask() -> None:
        while not ended.is_set():
            connection = stack.connect()
            try:
                for _ in range(50):  # over one connection to nginx, as clients do
                    answer = exchange(connection, "GET", f"/v1/promotedflavors/{story}", BASIC)
                    answered.append((answer.status, answer.json["flavor"]["id"] if answer.status == 200 else ""))
                    if ended.is_set():
                        break
            except OSError as error:
                lost.append(repr(error))
            finally:
                connection.close()

    clients = [threading.Thread(target=ask) for _ in range(8)]
    for client in clients:
        client.start()
    try:
        seen = stack.web_workers()
        for _ in range(3):
            begun = len(answered)
            workers = stack.reload()
            assert not workers & seen
            seen |= workers
            until(lambda: len(answered) > begun + 100, "requests are answered")  # noqa: B023
    finally:
        ended.set()
        for client in clients:
            client.join()
    print(f"3 reloads: {len(answered)} requests, {len(lost)} lost")
    assert lost == []
    assert set(answered) == {(200, story)}


def everything(stack: Stack) -> dict[str, Any]:
    paths = {"/v1/flavors": {}, "/v1/promotedflavors": BASIC, "/v1/regions": BASIC, "/v1/flavors?node=Mordor": OWNER}
    return {
        path: (answer.status, answer.json)
        for path, headers in paths.items()
        for answer in [stack.send("GET", path, headers)]
    }


def test_a_backup_is_restored_into_another_database_that_answers_the_same(stack: Stack, story: str) -> None:
    """With the commands of docs/operations.md, except for the account."""
    account = [
        "--no-defaults",
        "--protocol=tcp",
        "-h127.0.0.1",
        f"-P{stack.database.port}",
        "-uflavorsync",
        "-pof-the-database",
    ]
    dump = ["mariadb-dump", *account, "--single-transaction", "--no-tablespaces", "--skip-dump-date", "flavorsync"]
    backup = subprocess.run(dump, check=True, capture_output=True, env={"PATH": PATH}).stdout
    before = everything(stack)
    assert {status for status, _ in before.values()} == {200}

    stack.database.execute(
        "CREATE DATABASE restored CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;"
        "GRANT ALL ON restored.* TO flavorsync@127.0.0.1"
    )
    subprocess.run(["mariadb", *account, "restored"], input=backup, check=True, env={"PATH": PATH})
    stack.write_environment(DATABASE_URL=stack.database.url("restored"))
    stack.reload()
    stack.database.execute("RENAME TABLE flavorsync.flavors_flavor TO flavorsync.flavors_flavor_of_old")
    try:
        assert everything(stack) == before
        ready = json.loads(stack.manage("check_infrastructures", "Mordor", "--json"))
        assert [node["ready"] for node in ready] == [True]
        assert "No changes" in stack.manage("makemigrations", "--check", "--dry-run")
        again = subprocess.run([*dump[:-1], "restored"], check=True, capture_output=True, env={"PATH": PATH}).stdout
        assert _rows(again) == _rows(backup)
    finally:
        stack.database.execute("RENAME TABLE flavorsync.flavors_flavor_of_old TO flavorsync.flavors_flavor")
        stack.write_environment(DATABASE_URL=stack.database.url())
        stack.reload()


def _rows(dump: bytes) -> list[bytes]:
    """Return the rows of a dump, without tables that change by themselves, such as the queue."""
    tables = (b"flavors_flavor`", b"flavors_installation`", b"infrastructures_infrastructure`", b"identity_user`")
    return [
        line
        for line in dump.splitlines()
        if line.startswith(b"INSERT INTO ") and any(table in line for table in tables)
    ]


@pytest.mark.usefixtures("story")
@pytest.mark.thorough
def test_keys_are_rotated_while_the_service_answers(stack: Stack) -> None:
    """With the commands of docs/operations.md."""
    old, new = stack.settings["FIELD_ENCRYPTION_KEYS"], Fernet.generate_key().decode()

    def have_keys(*keys: str) -> None:
        stack.write_environment(FIELD_ENCRYPTION_KEYS=",".join(keys))
        stack.reload()
        stack.control("restart", "flavor-sync:worker", "flavor-sync:scheduler")

    def opens_the_cloud() -> int:
        """Ask both of web's processes, more or less."""
        (status,) = {stack.send("GET", "/v1/flavors?node=Mordor", OWNER).status for _ in range(8)}
        return status

    have_keys(new, old)
    assert opens_the_cloud() == 200
    assert stack.manage("rotate_encryption_keys") == "1 password encrypted anew.\n"
    assert opens_the_cloud() == 200
    have_keys(new)
    assert opens_the_cloud() == 200
    assert json.loads(stack.manage("check_infrastructures", "--json"))[0]["ready"]
    until(lambda: stack.running("worker"), "the worker runs")


@pytest.mark.usefixtures("story")
@pytest.mark.thorough
def test_a_backup_without_its_keys_opens_no_cloud(stack: Stack) -> None:
    original = stack.settings["FIELD_ENCRYPTION_KEYS"]
    stack.write_environment(FIELD_ENCRYPTION_KEYS="6A7xE8QVWz9rT4Rr1MA4bXEOu1YzN2o0c9jv2i8XN4Q=")
    stack.reload()
    try:
        assert stack.send("GET", "/v1/promotedflavors", BASIC).status == 200
        refused = stack.send("GET", "/v1/flavors?node=Mordor", OWNER)
        assert refused.status == 409
        assert "cannot be read with FIELD_ENCRYPTION_KEYS" in refused.json["error"]["message"]
    finally:
        stack.write_environment(FIELD_ENCRYPTION_KEYS=original)
        stack.reload()
    assert stack.send("GET", "/v1/flavors?node=Mordor", OWNER).status == 200
