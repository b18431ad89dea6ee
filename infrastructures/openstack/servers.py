"""The servers of one region's Nova, of which only how many use a flavor matters here."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import urlencode

from novaclient.client import SessionClient

from infrastructures.openstack import pages
from infrastructures.openstack.bounds import Allowance
from infrastructures.openstack.connection import Connection
from infrastructures.openstack.errors import CloudUnavailable

T = TypeVar("T")

# A Nova that always names a next page must not hold us up forever.
MAX_PAGES = 100


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

    def servers_by_flavor(self) -> Counter[str]:
        """Return how many servers, of all projects, use each flavor, by the flavors' ids.

        Cost: one upstream call per page of Nova's, which has 1,000 servers by default.
        Source: Compute API reference, "List Servers Detailed", before microversion 2.47.

        Raises:
            CloudAnswersTooMuch: there are more than some 6,000 servers.
            CloudTimedOut: all the pages together took longer than `bounds.LIST_TIMEOUTS` time-outs.
            Forbidden: the token may not see other projects' servers.
        """
        found = self._pages_of("/servers/detail", pages.read_flavors_of_servers, client=self._oldest_client)
        return Counter(flavorid for page in found for flavorid in page)

    def _pages_of(
        self, path: str, read: Callable[[Any], tuple[T, str]], *, client: SessionClient | None = None, **query: str
    ) -> Iterator[T]:
        """Yield what *read* makes of each page of the servers of all projects; it also returns the next marker."""
        query = {"all_tenants": "1", **query}
        allowance = Allowance(self.region.name, timeout=self._timeout)
        for _ in range(MAX_PAGES):
            with self._about_no_flavor():
                page, marker = self._get(f"{path}?{urlencode(query)}", read, allowance, client)
            yield page
            if not marker:
                return
            query["marker"] = marker
        raise CloudUnavailable(self.region.name, "its Nova's list of servers never ends.")
