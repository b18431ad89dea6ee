"""The WSGI applications of Keystone and Nova, each behind the lab's access log.

Gunicorn imports `lab.wsgi:keystone` or `lab.wsgi:nova`, so only the requested one is loaded.
"""

import fcntl
import os
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from lab.access_log import NOVA_PROGRAM, AccessLog
from lab.snapshot import DATABASE, lock_of

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def _logged(application: Application) -> Application:
    log = AccessLog(Path(os.environ["FLAVORSYNC_LAB_ACCESS_LOG"]))

    def respond(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        log.record(
            environ["REQUEST_METHOD"],
            environ["PATH_INFO"],
            environ.get("HTTP_USER_AGENT", ""),
        )
        return application(environ, start_response)

    return respond


def _one_writer(application: Application) -> Application:
    """Let in one writing request at a time, across all processes that share the database.

    Both begin their SQLite transactions with a read and write later, Keystone even for a login. If another
    transaction has written in between, SQLite refuses at once, "database is locked", whatever the time-out.
    """
    lock = next(lock_of(Path(name)) for name in ("keystone.sqlite", DATABASE) if Path(name).exists())

    def respond(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return application(environ, start_response)
        # Each request opens the file for itself, so that its lock works between threads, too.
        with lock.open("w") as writing:
            fcntl.flock(writing, fcntl.LOCK_EX)
            return application(environ, start_response)

    return respond


def _keystone() -> Application:
    application: Application = import_module("keystone.wsgi.api").application
    # Keystone loads its policy at its first request, and refuses what else comes meanwhile: 403, or 500.
    import_module("keystone.common.rbac_enforcer.enforcer").RBACEnforcer()._enforcer.load_rules()
    return _logged(_one_writer(application))


def _nova() -> Application:
    # keystoneauth puts this name into its User-Agent; "gunicorn" could be the service under test.
    sys.argv = [NOVA_PROGRAM]
    application: Application = import_module("nova.wsgi.osapi_compute").application
    return _logged(_one_writer(application))


def __getattr__(name: str) -> Application:
    if name == "keystone":
        return _keystone()
    if name == "nova":
        return _nova()
    raise AttributeError(name)
