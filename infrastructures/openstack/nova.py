"""The flavors of one region's Nova.

Source of paths, bodies and statuses: Compute API reference, "Flavors", "Flavors access",
"Flavors extra-specs".
"""

import logging
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import replace
from operator import itemgetter
from urllib.parse import quote, urlencode

from infrastructures.openstack import pages, shapes
from infrastructures.openstack.bounds import Allowance
from infrastructures.openstack.errors import (
    CloudError,
    CloudUnavailable,
    CredentialsRefused,
    FlavorConflict,
    FlavorNotFound,
    Forbidden,
)
from infrastructures.openstack.records import Doubt, NovaFlavor
from infrastructures.openstack.rules import can_be_said
from infrastructures.openstack.servers import MAX_PAGES, Servers

logger = logging.getLogger(__name__)

# The share of the time-out for each of the two looks at what became of a change.
LOOKING_SHARE = 1 / 4
ACCEPTED = 202
# The number of times that a flavor is created if earlier deletions keep removing it.
MAX_CREATIONS = 3


class Nova(Servers):
    """The flavors of a region, read and changed over a session with its cloud.

    Raises and cost: as `Connection`; every method raises the same errors, too.
    """

    def may_create_flavors(self) -> bool | None:
        """Say whether the token may create flavors, without creating any; None if we cannot find out.

        Nova checks a body's form, then its policy, then the existing flavors: a flavor with the name of
        one and the id of another gets 403 if the token may not create flavors, and 409 if it may. This
        does not work in a Nova without flavors.

        Cost: two upstream calls, `GET /flavors/detail?limit=2` and `POST /flavors`.
        """
        query = urlencode({"is_public": "None", "limit": 2})
        with self._about_no_flavor():
            some, _ = self._get(f"/flavors/detail?{query}", pages.read_flavors)
        if not some:
            return None
        taken = replace(some[0], id=some[-1].id)
        try:
            self._create_row(taken)
        except FlavorConflict:
            return True
        except (Forbidden, CredentialsRefused):
            return False
        # Both were deleted since we saw them.
        self._take_back(taken.id)
        return True

    def may_delete_flavors(self) -> bool:
        """Say whether the token may delete flavors, by deleting one with a random id, which does not exist.

        Nova answers 403 if the token may not, and 404 if it may.

        Cost: one upstream call, `DELETE /flavors/{id}`.
        """
        try:
            self.delete_flavor(str(uuid.uuid4()))
        except FlavorNotFound:
            return True
        except (Forbidden, CredentialsRefused):
            return False
        return True

    def list_flavors(self) -> list[NovaFlavor]:
        """Return all flavors that the token may see, public or not, by name, then id.

        Cost: one upstream call per page of Nova's, which has 1,000 flavors by default.

        Raises:
            CloudAnswersTooMuch: there are more than `bounds.LIST_FLAVORS`, or they are larger than any real ones.
            CloudTimedOut: all the pages together took longer than `bounds.LIST_TIMEOUTS` time-outs.
        """
        with self.place():
            flavors = [flavor for page in self._pages() for flavor in page]
        return sorted(flavors, key=lambda flavor: (flavor.name, flavor.id))

    def get_flavor(self, flavorid: str) -> NovaFlavor:
        """Return one flavor, without its access list. Cost: one upstream call.

        Raises:
            FlavorNotFound: there is none with this id that the token may see.
        """
        return self._get(f"/flavors/{self._quoted(flavorid)}", lambda body: NovaFlavor.from_nova(body["flavor"]))

    def get_whole_flavor(self, flavorid: str) -> NovaFlavor:
        """Return one flavor with its extra specs and access list, neither of them None.

        Cost: one upstream call, one more if it is not public, and one more if Nova does not include
        extra specs (before microversion 2.61, or by policy).

        Raises:
            FlavorNotFound: as `get_flavor`.
            Forbidden: the token may not see the extra specs or the access list.
        """
        flavor = self.with_extra_specs(self.get_flavor(flavorid))
        return replace(flavor, projects=() if flavor.is_public else self.projects_of(flavorid))

    def with_extra_specs(self, flavor: NovaFlavor) -> NovaFlavor:
        """Return *flavor* with its extra specs; None means that Nova did not include them.

        Cost: one upstream call if they are None, else none.

        Raises:
            FlavorNotFound: the flavor no longer exists.
            Forbidden: the token may not see them.
        """
        if flavor.extra_specs is not None:
            return flavor
        extra_specs = self._get(
            f"/flavors/{self._quoted(flavor.id)}/os-extra_specs",
            lambda body: shapes.extra_specs(body["extra_specs"]),
        )
        return replace(flavor, extra_specs=extra_specs)

    def find_flavor(self, flavorid: str) -> NovaFlavor | None:
        """Return what `get_whole_flavor` does, or None if there is no such flavor."""
        try:
            return self.get_whole_flavor(flavorid)
        except FlavorNotFound:
            return None

    def look(self, flavorid: str) -> NovaFlavor | None:
        """Return what `find_flavor` does, but wait only `LOOKING_SHARE` of the time-out for each call."""
        hurried = copy(self)
        hurried._timeout = self._timeout * LOOKING_SHARE
        return hurried.find_flavor(flavorid)

    def create_flavor(self, flavor: NovaFlavor) -> NovaFlavor:
        """Create *flavor* with its extra specs and grants, and return it as Nova has it.

        If the response to the creation is lost, the flavor is read back.

        Cost: one upstream call, one more with extra specs, and one per project of the access list.

        Raises:
            FlavorConflict: the name or the id is taken.
            FlavorRefused: Nova does not accept the values.
            Forbidden: the token may not create flavors.
        """
        with self.place():
            return self._create(flavor)

    def _create(self, flavor: NovaFlavor) -> NovaFlavor:
        for _ in range(MAX_CREATIONS - 1):
            try:
                return self._create_once(flavor)
            except FlavorNotFound:  # a deletion whose response was lost has been carried out between our calls
                logger.warning("%s: flavor %s was gone again at once; making it again", self.region.name, flavor.id)
        return self._create_once(flavor)

    def _create_once(self, flavor: NovaFlavor) -> NovaFlavor:
        created: NovaFlavor | None
        before = self.doubt
        try:
            created = self._create_row(flavor)
        except CloudUnavailable as error:
            created = self._read_back(flavor.id, error) if error.may_be_done else None
            if created is None or created.row != flavor.row:
                raise
            self.doubt = max(before, Doubt.SEEN)
        try:
            self.complete_flavor(flavor, has=created)
        except CloudError:
            self._take_back(flavor.id)
            raise
        return replace(created, extra_specs=flavor.extra_specs, projects=flavor.projects)

    def complete_flavor(self, flavor: NovaFlavor, *, has: NovaFlavor) -> None:
        """Add to the flavor that Nova *has* the extra specs and grants of *flavor* that it lacks.

        Cost: at most one upstream call for the extra specs, and one per project.
        """
        wanted = dict(flavor.extra_specs or {})
        if wanted.items() - dict(has.extra_specs or {}).items():
            self.set_extra_specs(flavor.id, wanted)
        for project in sorted(set(flavor.projects or ()) - set(has.projects or ())):
            self.grant_access(flavor.id, project)

    def describe_flavor(self, flavorid: str, description: str) -> None:
        """Change a flavor's description, "" for none; only it and the extra specs can be changed in place.

        Cost: one upstream call. Source: Compute API reference, "Update Flavor Description".

        Raises:
            FlavorNotFound, FlavorRefused, Forbidden: Nova's refusal.
        """
        with self._changing():
            self._client.put(
                f"/flavors/{self._quoted(flavorid)}",
                body={"flavor": {"description": description or None}},
                timeout=self._writing_timeout,
            )

    def set_extra_specs(self, flavorid: str, extra_specs: Mapping[str, str]) -> None:
        """Set these extra specs of a flavor, and keep its others. Cost: one upstream call.

        Nova does not validate them against its own rules here; use `check_extra_specs` for that.

        Raises:
            FlavorNotFound, FlavorRefused, Forbidden: Nova's refusal.
        """
        self._post(
            f"/flavors/{self._quoted(flavorid)}/os-extra_specs",
            {"extra_specs": dict(extra_specs)},
            itemgetter("extra_specs"),
            client=self._unvalidated_client,
        )

    def check_extra_specs(self, extra_specs: Mapping[str, str]) -> None:
        """Have Nova validate extra specs against its own rules, without setting any.

        They are sent for a flavor with a random id: Nova checks them before it looks for the flavor. Without
        `validates_extra_specs` it finds no errors.

        Cost: one upstream call. Source: Compute API microversion history, 2.86.

        Raises:
            FlavorRefused: Nova does not accept one of them; the message says which.
        """
        body = {"extra_specs": dict(extra_specs)}
        with suppress(FlavorNotFound), self._answering():
            self._client.post(f"/flavors/{uuid.uuid4()}/os-extra_specs", body=body, timeout=self._timeout)

    def unset_extra_spec(self, flavorid: str, key: str) -> None:
        """Remove an extra spec from a flavor; it is not an error if it is missing.

        Cost: one upstream call.

        Raises:
            FlavorRefused, Forbidden: Nova's refusal.
        """
        path = f"/flavors/{self._quoted(flavorid)}/os-extra_specs/{quote(key, safe='')}"
        try:
            with self._changing():
                self._client.delete(path, timeout=self._writing_timeout)
        except FlavorNotFound:
            return

    def projects_of(self, flavorid: str) -> tuple[str, ...]:
        """Return the projects on the access list of a flavor that is not public. Cost: one upstream call.

        Raises:
            FlavorNotFound: there is none with this id, or it is public.
            Forbidden: the token may not see the list.
        """
        return self._get(f"/flavors/{self._quoted(flavorid)}/os-flavor-access", pages.read_projects)

    def grant_access(self, flavorid: str, project: str) -> None:
        """Grant a project access to a flavor that is not public; it is not an error if it has access.

        Cost: one upstream call.

        Raises:
            FlavorNotFound, FlavorRefused, Forbidden: Nova's refusal.
        """
        with suppress(FlavorConflict):
            self._act_on_access(flavorid, "addTenantAccess", project)

    def revoke_access(self, flavorid: str, project: str) -> None:
        """Revoke a project's access to a flavor. Cost: one upstream call.

        Raises:
            FlavorNotFound: the project has no access, or there is no flavor with this id.
            FlavorRefused, Forbidden: Nova's refusal.
        """
        self._act_on_access(flavorid, "removeTenantAccess", project)

    def _act_on_access(self, flavorid: str, action: str, project: str) -> None:
        body = {action: {"tenant": project}}
        self._post(f"/flavors/{self._quoted(flavorid)}/action", body, itemgetter("flavor_access"))

    def delete_flavor(self, flavorid: str) -> None:
        """Delete a flavor. Servers that use it keep their own copy.

        If the response is lost, check whether the flavor still exists.

        Cost: one upstream call.

        Raises:
            FlavorNotFound: there is none with this id that the token may see.
            Forbidden: the token may not delete flavors.
        """
        with self.place():
            self._delete(flavorid)

    def _delete(self, flavorid: str) -> None:
        before = self.doubt
        try:
            with self._changing():
                answer, _ = self._client.delete(f"/flavors/{self._quoted(flavorid)}", timeout=self._writing_timeout)
                if answer.status_code != ACCEPTED:
                    raise ValueError(f"a deletion answered with {answer.status_code}")
        except CloudUnavailable as error:
            if not error.may_be_done or self._read_back(flavorid, error):
                raise
            self.doubt = max(before, Doubt.SEEN)

    def _create_row(self, flavor: NovaFlavor) -> NovaFlavor:
        # Not with novaclient's own method, which takes the id "auto" for no id.
        values = {
            "name": flavor.name,
            "ram": flavor.ram,
            "vcpus": flavor.vcpus,
            "disk": flavor.disk,
            "id": flavor.id,
            "swap": flavor.swap,
            "OS-FLV-EXT-DATA:ephemeral": flavor.ephemeral,
            "rxtx_factor": flavor.rxtx_factor,
            "os-flavor-access:is_public": flavor.is_public,
        }
        if flavor.description and self.keeps_descriptions:
            values["description"] = flavor.description
        return self._post("/flavors", {"flavor": values}, lambda body: NovaFlavor.from_nova(body["flavor"]))

    def _read_back(self, flavorid: str, lost: CloudUnavailable) -> NovaFlavor | None:
        """Return what Nova has after a response was *lost*; raise that error again if Nova does not answer.

        An unknown outcome must not look like a refusal, which would mean that nothing has changed.
        """
        try:
            return self.look(flavorid)
        except CloudError as error:
            raise lost from error

    def _take_back(self, flavorid: str) -> None:
        """Delete a flavor that could not be completed, if Nova lets us."""
        try:
            self.delete_flavor(flavorid)
        except FlavorNotFound:
            return
        except CloudError as error:
            logger.warning("%s: flavor %s stays half made: %s", self.region.name, flavorid, error)

    def _pages(self) -> Iterator[list[NovaFlavor]]:
        query: Mapping[str, str] = {"is_public": "None"}
        allowance = Allowance(self.region.name, timeout=self._timeout)
        for _ in range(MAX_PAGES):
            with self._about_no_flavor():
                page, query = self._get(f"/flavors/detail?{urlencode(query)}", pages.read_flavors, allowance)
            yield page
            if not query:
                return
        raise CloudUnavailable(self.region.name, "its Nova's list of flavors never ends.")

    def _quoted(self, flavorid: str) -> str:
        if not can_be_said(flavorid):
            raise FlavorNotFound(self.region.name, f"Flavor {flavorid} could not be found.")
        return quote(flavorid, safe="")
