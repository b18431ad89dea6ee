"""Gunicorn's configuration: `gunicorn -c flavorsync_serving/gunicorn.conf.py flavorsync_project.wsgi`.

`manage.py run_web` uses it, too.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.modules.pop("flavorsync_serving.worker", None)  # so that a reload imports it again, like this file

from flavorsync_serving.worker import LONGEST_REQUEST_LINE, Worker  # noqa: E402

worker_class = Worker
workers = 2
threads = 8
# Each worker loads the application itself: on SIGHUP new workers start with new code and settings, and the old ones end
# when they have answered their requests.
preload_app = False
# The seconds that workers have for that, on a reload and when the service stops: as long as nginx waits for a response
# (proxy_read_timeout), so that no request is cut short while its client still waits. A change takes several calls to a
# cloud, each of which may take OPENSTACK_TIMEOUT. The master begins no stop before a reload is over: supervisor
# (stopwaitsecs) and systemd (TimeoutStopSec) wait for more than twice as long before they kill it. Change all of these
# together.
graceful_timeout = 120
control_socket_disable = True

# Django decides whether to trust a proxy's headers (the setting HTTPS); gunicorn derives no WSGI variable from them.
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}

# The longest token that the application accepts, 8,000 characters, fits into a request line of this length, gunicorn's
# maximum. Headers with a longer token still reach the application, which refuses them itself.
limit_request_line = LONGEST_REQUEST_LINE
limit_request_field_size = 32 * 1024

# The application logs requests itself, without the tokens in their queries. Gunicorn's own messages about failed or
# malformed requests go to the application's handlers, so the same filters apply.
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
    """Let the workers share their metrics in a folder, because any one of them may have to answer /metrics.

    The folder is PROMETHEUS_MULTIPROC_DIR, if that is set, so that other processes can share it, too; else one that
    lasts as long as this master. It survives a reload of the configuration, and the next master (SIGUSR2) does not
    inherit it.
    """
    owner = os.environ.get(_OWNER)
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ and owner in (None, str(os.getpid())):
        return
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="flavorsync-metrics-")
    os.environ[_OWNER] = str(os.getpid())


_share_metrics()


def on_starting(server: Any) -> None:
    """Check the settings before there are workers, each of which would report the same errors.

    Check them before each reload, too, and keep the old ones if the new ones are wrong: gunicorn stops when a worker
    cannot load the application, and has no hook before a reload.
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
    """Report errors in the settings, and return 0 if there are none.

    This takes a process of its own: the workers of a reload would inherit what the master has loaded.
    """
    command = [sys.executable, "-P", "-m", "flavorsync_project", "version"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([_ROOT, os.environ.get("PYTHONPATH", "")])}
    return subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode  # noqa: S603


def on_exit(server: Any) -> None:
    """Remove the folder of metrics, if we created it."""
    if os.environ.get(_OWNER) == str(os.getpid()):
        shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
