"""The servers of one region's Nova, of which only how many use a flavor matters here."""

from collections import Counter
from collections.abc import Mapping
from urllib.parse import urlencode

from infrastructures.openstack import pages
from infrastructures.openstack.bounds import Allowance
from infrastructures.openstack.connection import Connection
from infrastructures.openstack.errors import CloudUnavailable

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
        query: Mapping[str, str] = {"all_tenants": "1", "flavor": flavorid}
        count, allowance = 0, Allowance(self.region.name, timeout=self._timeout)
        for _ in range(MAX_PAGES):
            with self._about_no_flavor():
                servers, marker = self._get(f"/servers?{urlencode(query)}", pages.read_servers, allowance)
            count += servers
            if not marker:
                return count
            query = {**query, "marker": marker}
        raise CloudUnavailable(self.region.name, "its Nova's list of servers never ends.")

    def servers_by_flavor(self) -> Counter[str]:
        """Return how many servers, of all projects, use each flavor, by the flavors' ids.

        Cost: one upstream call per page of Nova's, which has 1,000 servers by default.
        Source: Compute API reference, "List Servers Detailed", before microversion 2.47.

        Raises:
            CloudAnswersTooMuch: there are more than some 6,000 servers.
            CloudTimedOut: all the pages together took longer than `bounds.LIST_TIMEOUTS` time-outs.
            Forbidden: the token may not see other projects' servers.
        """
        query: Mapping[str, str] = {"all_tenants": "1"}
        counts: Counter[str] = Counter()
        allowance = Allowance(self.region.name, timeout=self._timeout)
        for _ in range(MAX_PAGES):
            with self._about_no_flavor():
                flavors, marker = self._get(
                    f"/servers/detail?{urlencode(query)}", pages.read_flavors_of_servers, allowance, self._oldest_client
                )
            counts.update(flavors)
            if not marker:
                return counts
            query = {**query, "marker": marker}
        raise CloudUnavailable(self.region.name, "its Nova's list of servers never ends.")
