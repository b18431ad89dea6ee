"""The whole service as in production: the files of deploy/ in their own folder, under supervisor."""

import getpass
import http.client
import json
import os
import pwd
import random
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from lab import Lab, seed

ROOT = Path(__file__).resolve().parents[2]
SOURCES = (
    "compute",
    "deploy",
    "flavorsync_project",
    "flavorsync_serving",
    "flavors",
    "identity",
    "infrastructures",
    "pages",
    "regions",
    "synchronisation",
    "templates",
    "manage.py",
)
PROGRAMS = (
    "mariadbd",
    "mariadb",
    "mariadb-install-db",
    "mariadb-dump",
    "nginx",
    "openssl",
    "supervisorctl",
    "supervisord",
)
HOST = "flavors.example.org"
PASSWORD = "of-the-database"
PACKAGES = sysconfig.get_path("platlib")
DONE = 90
"""Seconds to wait at most for something to start, happen or end, on a busy machine."""


def missing() -> str:
    """Return what the stack needs and this machine lacks, or ""."""
    programs = [name for name in PROGRAMS if not shutil.which(name, path=PATH)]
    try:
        import MySQLdb  # noqa: F401, PLC0415 — whether it is there is the question
    except ImportError:
        programs.append("requirements-mysql.txt")
    return ", ".join(programs)


PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def until(holds: Callable[[], Any], what: str, *, seconds: float = DONE) -> Any:
    """Return what *holds* returns as soon as that is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := holds():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def _user_and_python() -> tuple[str, str]:
    """Return who runs the programs, with which Python.

    Somebody without rights where we may choose, with the first Python of our version that they may start.
    """
    if os.geteuid() != 0:
        return getpass.getuser(), sys.executable
    is_ours = f"import sys; assert sys.version_info[:2] == {sys.version_info[:2]}; sys.path.append({PACKAGES!r})"
    for user in ("nobody", "www-data"):
        for python in (sys.executable, "/usr/bin/python3"):
            if _can_run([python, "-c", f"{is_ours}; import django"], user):
                return user, python
    return "root", sys.executable


def _can_run(command: list[str], user: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, cwd="/", **_as(user)).returncode == 0
    except PermissionError:
        return False


def _as(user: str) -> dict[str, Any]:
    """Return what has subprocess run something as this user."""
    if os.geteuid() != 0 or user == "root":
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


_given: set[int] = set()


def _free_port() -> int:
    """Return a free port that was not returned before: what should listen there may not have started yet."""
    ports = list(set(range(8000, 8100)) - _given)
    random.shuffle(ports)
    for port in ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            _given.add(port)
            return port
    raise AssertionError("no port from 8000 to 8099 is free")


@dataclass(frozen=True)
class Answer:
    """An answer as it came through nginx."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Return the document."""
        return json.loads(self.body)


class MariaDB:
    """A database server of our own."""

    def __init__(self, folder: Path, user: str) -> None:
        self.folder, self.user = folder, user
        self.port = _free_port()
        self._socket = folder / "socket"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers; the first time with the database and the account of the service."""
        new = not (self.folder / "data").exists()
        if new:
            install = ["mariadb-install-db", "--no-defaults", f"--user={self.user}", "--skip-test-db"]
            options = [f"--datadir={self.folder / 'data'}", "--auth-root-authentication-method=normal"]
            subprocess.run([*install, *options], check=True, capture_output=True, env={"PATH": PATH}, timeout=DONE)
        options = [f"--datadir={self.folder / 'data'}", f"--socket={self._socket}", f"--port={self.port}"]
        options += ["--bind-address=127.0.0.1", "--skip-name-resolve", "--innodb-buffer-pool-size=64M"]
        root = ["--user=root"] if self.user == "root" else []
        with (self.folder / "log").open("ab") as log:
            command = ["mariadbd", "--no-defaults", *options, *root]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env={"PATH": PATH}, **_as(self.user))
        until(self._answers, "MariaDB answers")
        if new:
            self.execute(
                "CREATE DATABASE flavorsync CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin; "
                f"CREATE USER flavorsync@127.0.0.1 IDENTIFIED BY '{PASSWORD}'; "
                "GRANT ALL ON flavorsync.* TO flavorsync@127.0.0.1;"
            )

    def stop(self) -> None:
        """End it, as the system does."""
        assert self._process
        self._process.terminate()
        self._process.wait(timeout=DONE)

    def execute(self, statements: str) -> str:
        """Return what the server's administrator reads in answer, one row a line."""
        command = ["mariadb", "--no-defaults", f"--socket={self._socket}", "--user=root", "-BN", "-e", statements]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env={"PATH": PATH}, timeout=DONE)
        return done.stdout

    def rows(self, query: str) -> list[list[str]]:
        """Return what a query of the service's database finds; NULL is `NULL`."""
        return [row.split("\t") for row in self.execute(f"USE flavorsync; {query}").splitlines()]

    def kill_connections(self, count: int | None = None) -> int:
        """End every connection of the service, or *count* of them, and return how many there were."""
        ids = self.execute("SELECT id FROM information_schema.processlist WHERE user = 'flavorsync'").split()
        ids = ids if count is None else random.sample(ids, min(count, len(ids)))
        for number in ids:
            try:
                self.execute(f"KILL {number}")
            except subprocess.CalledProcessError:
                continue  # it has ended by itself
        return len(ids)

    def url(self, database: str = "flavorsync") -> str:
        """Return the value of DATABASE_URL."""
        return f"mysql://flavorsync:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, (self.folder / "log").read_text(errors="replace")[-2000:]
        command = ["mariadb", "--no-defaults", f"--socket={self._socket}", "--user=root", "-e", "SELECT 1"]
        return subprocess.run(command, capture_output=True, env={"PATH": PATH}).returncode == 0


class SQLite(MariaDB):
    """A file in place of a server; nobody can end a connection to it."""

    @property
    def file(self) -> Path:
        """Where it is."""
        return self.folder / "db.sqlite3"

    def start(self) -> None:
        """Do nothing: the first who connects makes it."""

    def stop(self) -> None:
        """Do nothing."""

    def rows(self, query: str) -> list[list[str]]:
        """Return what a query finds."""
        with closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True, timeout=DONE)) as connection:
            found = connection.execute(query)
            return [["NULL" if value is None else str(value) for value in row] for row in found]

    def kill_connections(self, count: int | None = None) -> int:
        """End none."""
        return 0

    def url(self, database: str = "flavorsync") -> str:
        """Return the value of DATABASE_URL."""
        return f"sqlite:///{self.file}"


class Redis:
    """Our own Redis, for what web's processes share."""

    def __init__(self, folder: Path, user: str) -> None:
        self.folder, self.user = folder, user
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return the value of CACHE_URL."""
        return f"rediscache://127.0.0.1:{self.port}/0"

    @property
    def queue_url(self) -> str:
        """Return the value of TASKS_REDIS_URL."""
        return f"redis://127.0.0.1:{self.port}/1"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--dir", str(self.folder)]
        with (self.folder / "log").open("ab") as log:
            command = ["redis-server", *options]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env={"PATH": PATH}, **_as(self.user))
        until(self._answers, "Redis answers")

    def stop(self) -> None:
        """End it, if it was started."""
        if self._process:
            self._process.terminate()
            self._process.wait(timeout=DONE)

    def kill(self) -> None:
        """Kill it (SIGKILL)."""
        assert self._process
        self._process.kill()
        self._process.wait(timeout=DONE)

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, (self.folder / "log").read_text(errors="replace")[-2000:]
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=DONE) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16) == b"+PONG\r\n"
        except OSError:
            return False


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a stack is made of."""

    database: type[MariaDB] = MariaDB
    queue_in_redis: bool = False
    checkout: Path = ROOT
    """Whose service it is; one of before may have fewer of the `SOURCES`."""


class Stack:
    """nginx, web, worker and scheduler under a supervisor, with their own database server, in front of the lab.

    `cache` is what web's processes share, or None where there is no Redis: then each of them has its own.
    """

    def __init__(self, lab: Lab, folder: Path, shape: Shape, /, **settings: str) -> None:
        self.lab, self.folder, self._checkout = lab, folder, shape.checkout
        self.user, self._python = _user_and_python()
        self.nginx_user = "www-data" if os.geteuid() == 0 else self.user
        self.port, self.plain_port = _free_port(), _free_port()
        self.root, self.log = folder / "opt", folder / "log"
        for name in ("opt", "etc", "log", "mariadb", "redis", "supervisor"):
            (folder / name).mkdir()
            (folder / name).chmod(0o755)
            shutil.chown(folder / name, self.user)
        self.database = shape.database(folder / "mariadb", self.user)
        self.cache = Redis(folder / "redis", self.user) if shutil.which("redis-server", path=PATH) else None
        self.settings = settings
        if shape.queue_in_redis:
            assert self.cache, "there is no redis-server"
            self.settings["TASKS_REDIS_URL"] = self.cache.queue_url
        self._supervisord: subprocess.Popen[bytes] | None = None
        self.install()

    # What an administrator does (docs/deployment.md)

    def install(self) -> None:
        """Put everything where it belongs."""
        skipped = shutil.ignore_patterns("node_modules")  # what is compiled is taken, too: each program starts sooner
        for name in SOURCES:
            source = self._checkout / name
            if source.is_dir():
                shutil.copytree(source, self.root / name, ignore=skipped)
            elif source.exists() or self._checkout == ROOT:
                shutil.copy(source, self.root / name)
        # The folder for the locks of a database on SQLite
        (self.root / ".locks").mkdir()
        shutil.chown(self.root / ".locks", self.user)
        self._make_virtual_environment()
        self._make_folders_of_run()
        self._make_certificate()
        self.write_environment()
        (self.folder / "etc/snippets").mkdir()
        self._put("nginx/snippets/flavor-sync-errors.conf", "snippets/flavor-sync-errors.conf")
        self._put("nginx/flavor-sync.conf", "site.conf")
        self._put("supervisor/flavor-sync.conf", "programs.conf")
        self._write_own_configuration()
        # Whatever the umask is here, and whatever the modes of the project's own files.
        subprocess.run(["chmod", "-R", "a+rX", self.root, self.folder / "etc/snippets"], check=True)

    def write_environment(self, **settings: str) -> None:
        """Fill in deploy/environment.example; *settings* are more, or others."""
        self.settings |= settings
        values = {
            "SECRET_KEY": "of-the-tests-" + "x" * 50,
            "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "DATABASE_URL": self.database.url(),
            "CACHE_URL": self.cache.url if self.cache else "locmemcache://?max_entries=10000",
            "STATIC_ROOT": str(self.root / "staticfiles"),
            "KEYROCK_URL": self.lab.idm_url,
            "KEYROCK_APP_IDS": seed.IDM_APPLICATION,
            "KEYSTONE_URL": self.lab.keystone_url,
            "INFRASTRUCTURE_URL_ALLOWLIST": "*,127.0.0.1",  # this machine, where the lab is
            **self.settings,
        }
        self.settings["FIELD_ENCRYPTION_KEYS"] = values["FIELD_ENCRYPTION_KEYS"]
        text = (self._checkout / "deploy/environment.example").read_text()
        for name, value in values.items():
            line = f"{name}={value}".replace("\\", "\\\\")
            text, there = re.subn(rf"^{name}=.*$", line, text, flags=re.MULTILINE)
            text += "" if there else f"{name}={value}\n"
        assert not re.search(r"^\w+=.*change-me", text, re.MULTILINE)
        file = self.folder / "etc/environment"
        file.write_text(text)
        shutil.chown(file, self.user)
        file.chmod(0o400)

    def manage(self, *arguments: str, stdin: str = "") -> str:
        """Run a command of manage.py as the service's user, and return what it printed."""
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [self.root / ".venv/bin/python", "manage.py", *arguments],
            **_as(self.user),
            cwd=self.root,
            env=self._environment() | {"ENV_FILE": str(self.folder / "etc/environment")},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=DONE,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self) -> None:
        """Make the database, collect the static files, and have supervisor start everything but the scheduler."""
        self.database.start()
        if self.cache:
            self.cache.start()
        self.manage("migrate")
        self.manage("collectstatic", "--noinput")
        with (self.log / "supervisord.out").open("ab") as log:
            command = ["supervisord", "-n", "-c", str(self.folder / "etc/supervisord.conf")]
            self._supervisord = subprocess.Popen(command, stdout=log, stderr=log, env=self._environment())
        until(lambda: self.running("web") and self.running("worker"), "web and worker run")
        until(self.answers, "nginx and web answer")

    def stop(self) -> None:
        """End everything, and leave no process behind."""
        try:
            if self._supervisord and self._supervisord.poll() is None:
                self.control("stop", "flavor-sync:web", "flavor-sync:scheduler", "nginx")
                self.control("signal", "KILL", "flavor-sync:worker")  # it may be at a run that nobody waits for
                self._supervisord.terminate()
                self._supervisord.wait(timeout=DONE)
        finally:
            if self._supervisord and self._supervisord.poll() is None:
                self._supervisord.kill()
            if self.cache:
                self.cache.stop()
            self.database.stop()

    # Its processes

    def control(self, *arguments: str) -> str:
        """Run supervisorctl and return what it printed."""
        command = ["supervisorctl", "-c", str(self.folder / "etc/supervisord.conf"), *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, env=self._environment(), timeout=DONE
        ).stdout.strip()

    def pid(self, program: str) -> int:
        """Return the process of a program, 0 when there is none."""
        name = program if program == "nginx" else f"flavor-sync:{program}"
        found = self.control("pid", name)
        return int(found) if found.isdigit() else 0

    def running(self, program: str) -> bool:
        """Say whether supervisor is content with a program."""
        name = program if program == "nginx" else f"flavor-sync:{program}"
        return " RUNNING " in self.control("status", name)

    def web_workers(self) -> set[int]:
        """Return gunicorn's workers."""
        return children_of(self.pid("web"))

    def reload(self) -> set[int]:
        """Reload web, wait until the old workers are gone, and return the new ones."""
        old = self.web_workers()
        self.control("signal", "HUP", "flavor-sync:web")
        return set(until(lambda: self._all_new(old), "all workers are new ones"))

    def _all_new(self, old: set[int]) -> set[int]:
        now = self.web_workers()
        return now if len(now) == len(old) and not now & old else set()

    # Its clients

    def connect(self, *, address: str = "127.0.0.1", plain: bool = False) -> http.client.HTTPConnection:
        """Open a connection to nginx from an address of the loopback network."""
        if plain:
            return http.client.HTTPConnection("127.0.0.1", self.plain_port, DONE, (address, 0))
        context = ssl.create_default_context(cafile=self.folder / "etc/flavor-sync.pem")
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=DONE, source_address=(address, 0), context=context
        )

    def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        document: Any = None,
        *,
        body: bytes | None = None,
        address: str = "127.0.0.1",
        plain: bool = False,
    ) -> Answer:
        """Send a request over its own connection, with *document* as JSON."""
        connection = self.connect(address=address, plain=plain)
        try:
            return exchange(connection, method, path, headers or {}, document, body=body)
        finally:
            connection.close()

    def answers(self) -> bool:
        """Say whether the service answers."""
        try:
            return self.send("GET", "/v1").status == 200
        except OSError:
            return False

    # Within

    def _environment(self) -> dict[str, str]:
        return {"PATH": PATH, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}

    def _make_folders_of_run(self) -> None:
        """Do what systemd-tmpfiles does with our file of it."""
        text = (self._checkout / "deploy/tmpfiles.d/flavor-sync.conf").read_text()
        groups = {"flavor-sync": self.user, "www-data": self.nginx_user}
        for path, mode, group in re.findall(r"^d /run/flavor-sync(\S*) (\d+) flavor-sync (\S+) -$", text, re.MULTILINE):
            folder = self.folder / f"run{path}"
            folder.mkdir()
            folder.chmod(int(mode, 8))
            shutil.chown(folder, self.user, pwd.getpwnam(groups[group]).pw_gid)

    def _put(self, source: str, target: str) -> None:
        """Copy a file of deploy/ with our paths, ports and user."""
        text = (self._checkout / "deploy" / source).read_text()
        for theirs, ours in {
            "/opt/flavor-sync": self.root,
            "/etc/flavor-sync": self.folder / "etc",
            "/run/flavor-sync": self.folder / "run",
            "/var/log/flavor-sync": self.log,
            "/var/log/nginx": self.log,
            "/etc/ssl/certs": self.folder / "etc",
            "/etc/ssl/private": self.folder / "etc",
            "listen 80;": f"listen 127.0.0.1:{self.plain_port};",
            "listen 443 ": f"listen 127.0.0.1:{self.port} ",
            "user=flavor-sync": f"user={self.user}" if os.geteuid() == 0 else "",
            "[program:scheduler]": "[program:scheduler]\nautostart=false",
        }.items():
            text = text.replace(theirs, str(ours))
        text = re.sub(r"^ *listen \[::\].*\n", "", text, flags=re.MULTILINE)
        (self.folder / "etc" / target).write_text(text)

    def _write_own_configuration(self) -> None:
        """Write what Debian's packages bring along: the main files of nginx and supervisor."""
        etc, supervisor = self.folder / "etc", self.folder / "supervisor"
        user = f"user {self.nginx_user};" if os.geteuid() == 0 else ""
        temporary = " ".join(
            f"{kind}_temp_path {self.folder}/nginx-{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (etc / "nginx.conf").write_text(
            f"{user} pid {self.folder}/nginx.pid; daemon off; events {{}}\n"
            f"http {{ include /etc/nginx/mime.types; {temporary} include site.conf; }}\n"
        )
        (etc / "supervisord.conf").write_text(
            f"[unix_http_server]\nfile={supervisor}/socket\n"
            f"[supervisord]\nlogfile={self.log}/supervisord.log\npidfile={supervisor}/pid\nchildlogdir={supervisor}\n"
            + ("user=root\n" if os.geteuid() == 0 else "")
            + "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n"
            f"[supervisorctl]\nserverurl=unix://{supervisor}/socket\n"
            f"[include]\nfiles = {etc}/programs.conf\n"
            f"[program:nginx]\ncommand=nginx -e {self.log}/nginx.error.log -c {etc}/nginx.conf\n"
            "stopsignal=QUIT\nautorestart=true\n"
        )

    def _make_virtual_environment(self) -> None:
        """Make one that has the packages of ours."""
        venv = self.root / ".venv"
        subprocess.run([self._python, "-m", "venv", "--without-pip", venv], check=True, timeout=DONE)
        (packages,) = venv.glob("lib/python*/site-packages")
        (packages / "ours.pth").write_text(f"{PACKAGES}\n")
        gunicorn = venv / "bin/gunicorn"
        gunicorn.write_text(f"#!{venv}/bin/python\nfrom gunicorn.app.wsgiapp import run\nrun()\n")
        gunicorn.chmod(0o755)

    def _make_certificate(self) -> None:
        etc = self.folder / "etc"
        names = f"subjectAltName=DNS:{HOST},IP:127.0.0.1"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}"]
        files: list[str | Path] = ["-keyout", etc / "flavor-sync.key", "-out", etc / "flavor-sync.pem"]
        subprocess.run([*command, "-addext", names, *files], check=True, capture_output=True, env={"PATH": PATH})


def exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    headers: Mapping[str, str],
    document: Any = None,
    *,
    body: bytes | None = None,
) -> Answer:
    """Send a request over an open connection and return its answer."""
    content_type = {}
    if document is not None:
        body, content_type = json.dumps(document).encode(), {"Content-Type": "application/json"}
    connection.request(method, path, body, {"Host": HOST, **content_type, **headers})
    response = connection.getresponse()
    return Answer(response.status, {name.title(): value for name, value in response.getheaders()}, response.read())


def children_of(pid: int) -> set[int]:
    """Return the processes that a process has started."""
    try:
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except FileNotFoundError:
        return set()


def kill(pid: int) -> None:
    """Kill a process (SIGKILL), and wait until it is gone."""
    os.kill(pid, signal.SIGKILL)
    until(lambda: not is_alive(pid), f"process {pid} is gone")


def is_alive(pid: int) -> bool:
    """Say whether there is such a process that has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def running_stack(lab: Lab, shape: Shape = Shape(), /, **settings: str) -> Iterator[Stack]:
    """Start a stack in a folder that its unprivileged user can enter; end it and remove the folder."""
    folder = Path(tempfile.mkdtemp(prefix="flavor-sync-"))
    folder.chmod(0o755)
    stack = Stack(lab, folder, shape, **settings)
    try:
        try:
            stack.start()
        except Exception:
            for file in stack.log.iterdir():
                print(f"--- {file.name}", file.read_text(errors="replace")[-3000:], sep="\n")
            raise
        yield stack
    finally:
        stack.stop()
        shutil.rmtree(folder)
