"""How gunicorn serves Flavor Sync: `gunicorn -c flavorsync_serving/gunicorn.conf.py flavorsync_project.wsgi`.

`manage.py run_web` serves with it, too.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.modules.pop("flavorsync_serving.worker", None)  # so that a reload reads it again, like this file

from flavorsync_serving.worker import LONGEST_REQUEST_LINE, Worker  # noqa: E402

worker_class = Worker
workers = 2
threads = 8
# Each worker loads the application by itself: on SIGHUP new workers start with new code and settings, and the old ones
# end when they have answered their requests.
preload_app = False
# The seconds that they have for that, as do all workers when the service stops: as long as nginx waits for an answer
# (proxy_read_timeout), so that no request is cut short while its client still waits. A change takes several calls to a
# cloud, each of which may take OPENSTACK_TIMEOUT. The master begins no stop before a reload is over: supervisor
# (stopwaitsecs) and systemd (TimeoutStopSec) wait for more than twice as long before they kill it. Change all of these
# together.
graceful_timeout = 120
control_socket_disable = True

# Django decides whether to believe what a proxy says about a request (the setting HTTPS); no header is a WSGI variable.
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}

# The longest token that the application accepts, 8,000 characters, fits into a request line of this length, the longest
# that gunicorn allows. Longer headers with a token still reach the application, which refuses them itself.
limit_request_line = LONGEST_REQUEST_LINE
limit_request_field_size = 32 * 1024

# The application logs requests itself, without the tokens in their queries. Gunicorn's own messages about failed or
# malformed requests go to the application's handlers, and so through the same filters.
accesslog = None
logconfig_dict = {
    "root": {"level": "INFO", "handlers": []},
    "loggers": {
        "gunicorn.error": {"level": "WARNING", "handlers": [], "propagate": True},
        "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
    },
}

_ROOT = str(Path(__file__).resolve().parent.parent)
_OWNER = "FLAVORSYNC_METRICS_OWNER"


def _share_metrics() -> None:
    """Have the workers write their figures where each of them can read all: for /metrics any one may be asked.

    In PROMETHEUS_MULTIPROC_DIR, if somebody has named a folder that other processes share, too; else in one
    that lasts as long as this master. It is kept when the configuration is read again, and is not inherited
    by the next master (SIGUSR2).
    """
    owner = os.environ.get(_OWNER)
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ and owner in (None, str(os.getpid())):
        return
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="flavorsync-metrics-")
    os.environ[_OWNER] = str(os.getpid())


_share_metrics()


def on_starting(server: Any) -> None:
    """Have the settings looked at before there are workers, each of which would say what is wrong with them.

    And before each reload, which goes on with the old ones where the new ones are wrong: gunicorn ends itself when a
    worker of its cannot load the application, and has no hook for it before a reload.
    """
    wrong = _look_at_settings()
    if wrong:
        on_exit(server)
        sys.exit(wrong)
    reload = server.handle_hup

    def reload_unless_wrong() -> None:
        if _look_at_settings():
            server.log.error("Nothing is reloaded: the settings are wrong, and the old ones stay.")
        else:
            reload()

    server.handle_hup = reload_unless_wrong


def _look_at_settings() -> int:
    """Say what is wrong with the settings, and return 0 where nothing is.

    In a process of its own: what the master has loaded, it would hand on to the workers of a reload.
    """
    command = [sys.executable, "-P", "-m", "flavorsync_project", "version"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([_ROOT, os.environ.get("PYTHONPATH", "")])}
    return subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode  # noqa: S603


def on_exit(server: Any) -> None:
    """Remove the folder of figures, if it was ours."""
    if os.environ.get(_OWNER) == str(os.getpid()):
        shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
