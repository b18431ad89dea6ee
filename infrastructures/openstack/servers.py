"""The servers of one region's Nova, of which only how many use a flavor matters here."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from novaclient.client import SessionClient

from infrastructures.openstack import pages
from infrastructures.openstack.bounds import Allowance
from infrastructures.openstack.connection import Connection
from infrastructures.openstack.errors import CloudAnswersTooMuch, CloudTimedOut, CloudUnavailable

T = TypeVar("T")

# A Nova that always names a next page must not hold us up forever. Some give as few as 50 servers a page.
MAX_PAGES = 100


@dataclass(frozen=True, kw_only=True)
class CountedServers:
    """How many servers use each flavor, by its id; if that is not the whole list, each has at least so many."""

    by_flavor: Counter[str]
    is_whole: bool


class Servers(Connection):
    """The servers of a region, counted over a session with its cloud.

    Raises and cost: as `Connection`; every method raises the same errors, too.
    """

    def count_servers(self, flavorid: str) -> int:
        """Return the number of servers, of all projects, that use a flavor.

        Cost: one upstream call per page of Nova's, which has 1,000 servers by default.
        Source: Compute API reference, "List Servers".
        """
        return sum(self._pages_of("/servers", pages.read_servers, flavor=flavorid))

    def servers_by_flavor(self) -> CountedServers:
        """Return how many servers, of all projects, use each flavor: all of them, or of the first some 6,000.

        It stops where the pages together are larger than `bounds.ANSWER_BYTES`, took longer than
        `bounds.LIST_TIMEOUTS` time-outs, or are more than `MAX_PAGES`.

        Cost: one upstream call per page of Nova's, which has 1,000 servers by default.
        Source: Compute API reference, "List Servers Detailed", before microversion 2.47.

        Raises:
            CloudAnswersTooMuch, CloudTimedOut: not even the first page came within these bounds.
            Forbidden: the token may not see other projects' servers.
        """
        found: Counter[str] = Counter()
        try:
            for page in self._pages_of("/servers/detail", pages.read_flavors_of_servers, client=self._oldest_client):
                found.update(page)
        except (CloudAnswersTooMuch, CloudTimedOut):
            if not found:
                raise
            return CountedServers(by_flavor=found, is_whole=False)
        return CountedServers(by_flavor=found, is_whole=True)

    def _pages_of(
        self, path: str, read: Callable[[Any], tuple[T, str]], *, client: SessionClient | None = None, **query: str
    ) -> Iterator[T]:
        """Yield what *read* makes of each page of the servers of all projects; it also returns the next marker."""
        query = {"all_tenants": "1", **query}
        allowance = Allowance(self.region.name, timeout=self._timeout)
        for _ in range(MAX_PAGES):
            with self._about_no_flavor():
                page, marker = self._get(f"{path}?{urlencode(query)}", read, allowance, client)
            if marker and marker == query.get("marker"):
                raise CloudUnavailable(self.region.name, "its Nova's list of servers never ends.")
            yield page
            if not marker:
                return
            query["marker"] = marker
        raise CloudAnswersTooMuch(self.region.name, f"its Nova lists servers on more than {MAX_PAGES} pages.")
