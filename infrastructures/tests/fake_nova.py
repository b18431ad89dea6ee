"""A Nova in memory that fails on command."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from infrastructures.openstack.errors import CloudError, CloudUnavailable, FlavorConflict, FlavorNotFound
from infrastructures.openstack.nova import Nova
from infrastructures.openstack.records import Doubt, NovaFlavor
from testing.infrastructures import make_region


@dataclass(frozen=True)
class Fault:
    """How a call fails: with which error, and after how many of the steps that it takes.

    A creation's steps are the flavor's row, its extra specs, and each grant; a deletion has one.
    """

    error: type[CloudError] = CloudUnavailable
    steps: int = 0
    late: bool = False
    """Whether the call is carried out after all, when the test says so: `FakeNova.carry_out_late`."""


class FakeNova(Nova):
    """Has `flavors` by id. The calls named in `faults`, by number, fail."""

    def __init__(self, *flavors: NovaFlavor, faults: Mapping[int, Fault] | None = None) -> None:
        self.region = make_region()
        self.flavors = {flavor.id: flavor for flavor in flavors}
        self.faults = dict(faults or {})
        self.late: list[Callable[[], object]] = []
        self.doubt = Doubt.NONE
        self.refused: dict[str, type[CloudError]] = {}
        self.calls: list[str] = []
        self.before_call: Callable[[str], None] = lambda call: None

    def carry_out_late(self) -> None:
        """Carry out, in their order, the calls that were given up without an answer."""
        late, self.late = self.late, []
        for call in late:
            with suppress(CloudError):
                call()

    def list_flavors(self) -> list[NovaFlavor]:
        self._step("list", 0)
        return sorted(self.flavors.values(), key=lambda flavor: (flavor.name, flavor.id))

    def get_flavor(self, flavorid: str) -> NovaFlavor:
        return replace(self.get_whole_flavor(flavorid), projects=None)

    def get_whole_flavor(self, flavorid: str) -> NovaFlavor:
        self._step("get", 0)
        if flavorid not in self.flavors:
            raise FlavorNotFound(self.region.name, "none")
        return self.flavors[flavorid]

    def look(self, flavorid: str) -> NovaFlavor | None:
        return self.find_flavor(flavorid)

    def create_flavor(self, flavor: NovaFlavor) -> NovaFlavor:
        fails_after = self._begin("create", later=lambda: self._make_row(flavor))
        fails_after(0)
        self._make_row(flavor)
        fails_after(1)
        self._complete(flavor, fails_after, done=1)
        return flavor

    def _make_row(self, flavor: NovaFlavor) -> None:
        taken = {other.name.lower() for other in self.flavors.values()}
        if flavor.id in self.flavors or flavor.name.lower() in taken:
            raise FlavorConflict(self.region.name, "taken")
        self.flavors[flavor.id] = replace(flavor, extra_specs={}, projects=())

    def complete_flavor(self, flavor: NovaFlavor, *, has: NovaFlavor) -> None:
        fails_after = self._begin("complete", later=lambda: self._complete(flavor, lambda step: None, done=0))
        fails_after(0)
        self._complete(flavor, fails_after, done=0)

    def delete_flavor(self, flavorid: str) -> None:
        fails_after = self._begin("delete", later=lambda: self.flavors.pop(flavorid, None))
        fails_after(0)
        if flavorid not in self.flavors:
            raise FlavorNotFound(self.region.name, "none")
        del self.flavors[flavorid]
        fails_after(1)

    def _complete(self, flavor: NovaFlavor, fails_after: Callable[[int], None], *, done: int) -> None:
        self._change(
            flavor.id, extra_specs={**(self.flavors[flavor.id].extra_specs or {}), **(flavor.extra_specs or {})}
        )
        fails_after(done + 1)
        for count, project in enumerate(flavor.projects or (), start=done + 2):
            granted = set(self.flavors[flavor.id].projects or ()) | {project}
            self._change(flavor.id, projects=tuple(sorted(granted)))
            fails_after(count)

    def _change(self, flavorid: str, **members: object) -> None:
        self.flavors[flavorid] = replace(self.flavors[flavorid], **members)  # type: ignore[arg-type]

    def _step(self, call: str, steps: int) -> None:
        self._begin(call)(steps)

    def _begin(self, call: str, later: Callable[[], object] | None = None) -> Callable[[int], None]:
        self.before_call(call)
        fault = self.faults.get(len(self.calls))
        if fault and fault.late and later:
            self.late.append(later)
        self.calls.append(call)
        if call in self.refused:
            raise self.refused[call](self.region.name, "refused")

        def fails_after(steps: int) -> None:
            if fault and fault.steps == steps:
                if later and issubclass(fault.error, CloudUnavailable) and fault.error.may_be_done:
                    self.doubt = Doubt.OPEN
                raise fault.error(self.region.name, f"failed {call}")

        return fails_after
