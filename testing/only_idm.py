"""The lab without its clouds, for tests that only need the IdM."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import Lab, Mark, Served, access_log
from lab.access_log import Caller
from lab.idm import Idm

_NOBODY = "http://127.0.0.1:1"


class OnlyIdm(Lab):
    """The lab's IdM in a thread of the tests, and clouds where nothing listens."""

    def __init__(self, url: str, log: Path) -> None:
        super().__init__("nobody")
        self._url = url
        self._log = log

    @property
    def idm_url(self) -> str:
        """The IdM."""
        return self._url

    @property
    def keystone_url(self) -> str:
        """No Keystone."""
        return f"{_NOBODY}/v3"

    @property
    def mordor_keystone_url(self) -> str:
        """No Keystone either, at another address."""
        return f"{_NOBODY}/mordor/v3"

    def nova_url(self, region: str) -> str:
        """Return a URL where there is no Nova."""
        return f"{_NOBODY}/v2.1"

    def token(self, user: str) -> str:
        """Return a token that no Keystone knows."""
        return f"token-of-{user}"

    def mark(self) -> Mark:
        """Return this moment."""
        return {"idm": access_log.size(self._log)}

    def requests_served(self, since: Mark | None = None, by: Caller = "service") -> Served:
        """Count the requests to the IdM; those to a cloud would have failed."""
        return {"idm": access_log.count(self._log, since=(since or {}).get("idm", 0), by=by)}


@contextmanager
def only_idm(folder: Path) -> Iterator[OnlyIdm]:
    """Serve the IdM meanwhile."""
    log = folder / "access.log"
    with Idm(0, log) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield OnlyIdm(f"http://127.0.0.1:{server.server_port}", log)
        server.shutdown()
        thread.join()
