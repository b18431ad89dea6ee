"""Loading a document into the catalogue. No cloud is changed: the synchronisation does that."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Value
from django.db.models.functions import Lower

from flavors.catalogue.documents import Entry, UnreadableDocument
from flavors.catalogue.extra_specs import ExtraSpecs, refusals_of
from flavors.catalogue.granting import ACCESS, Project, access_of, grant_only
from flavors.catalogue.outcomes import Came
from flavors.models import Flavor

REQUIRED = ("name", "vcpus", "ram", "disk")
STATES = ("public", "promoted")


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a document does to a flavor of the catalogue; `members` holds the old and new value, by name."""

    flavorid: str
    name: str
    came: Came
    members: Mapping[str, tuple[Any, Any]]

    @property
    def is_new(self) -> bool:
        """Say whether the catalogue has no such flavor yet."""
        return self.came is Came.CREATED

    @property
    def has_id(self) -> bool:
        """Say whether its id stays: without one in the document, a new flavor gets one when it is loaded."""
        return not self.is_new or "flavorid" in self.members


def load_catalogue(*, entries: Iterable[Entry], dry_run: bool = False) -> list[Change]:
    """Create and change flavors of the catalogue as a document says: all of them, or none.

    An entry is about the flavor of its id, or else of its name in any case. Members that it does not name stay, or
    get Nova's defaults; a new flavor is public. A flavor that is installed somewhere and not promoted keeps its
    values: the synchronisation would never bring new ones there. A node, if one answers, must accept new extra specs.

    Args:
        dry_run: change nothing; say what would change.

    Raises:
        UnreadableDocument: some entries cannot be loaded; nothing was changed.

    Cost: four to six queries for each entry, in two transactions, and in between the cost of `refusals_of`.
    """
    entries = list(entries)
    changes = _apply_all(entries, dry_run=True)
    _require_accepted(entries, changes)
    return changes if dry_run else _apply_all(entries, dry_run=False)


def _apply_all(entries: Sequence[Entry], *, dry_run: bool) -> list[Change]:
    changes, problems = [], []
    with transaction.atomic():
        for entry in entries:
            try:
                with transaction.atomic():
                    changes.append(_apply(entry))
            except UnreadableDocument as error:
                problems += error.problems
        transaction.set_rollback(bool(problems) or dry_run)
    if problems:
        raise UnreadableDocument(problems)
    return changes


def _require_accepted(entries: Sequence[Entry], changes: Sequence[Change]) -> None:
    wanted: list[ExtraSpecs] = [change.members.get("extra_specs", (None, {}))[1] for change in changes]
    refusals = zip(entries, refusals_of(wanted), strict=True)
    if problems := [entry.problem("extra_specs", refusal) for entry, refusal in refusals if refusal]:
        raise UnreadableDocument(problems)


def _apply(entry: Entry) -> Change:
    values = dict(entry.values)
    access = values.pop(ACCESS, None)
    if values.get("promoted"):
        values.setdefault("public", True)
    known = _find(values)
    if known is None:
        return _create(entry, {"public": True, **values}, access)
    members = {
        member: (getattr(known, member), value) for member, value in values.items() if getattr(known, member) != value
    }
    granted = _difference_of_access(known, access)
    if members or granted:
        _require_changeable(entry, known, members | granted)
        for member, (_, value) in members.items():
            setattr(known, member, value)
        _save(entry, known, update_fields=[*members, "updated_at"])
        _grant(entry, known, access)
    members |= granted
    return Change(
        flavorid=known.flavorid, name=known.name, came=Came.UPDATED if members else Came.KNOWN, members=members
    )


def _create(entry: Entry, values: Mapping[str, Any], access: Sequence[Project] | None) -> Change:
    missing = [entry.problem(member, "is required for a new flavor") for member in REQUIRED if member not in values]
    if missing:
        raise UnreadableDocument(missing)
    flavor = Flavor(**values)
    _save(entry, flavor)
    _grant(entry, flavor, access)
    members = {member: (None, value) for member, value in values.items()} | ({ACCESS: (None, access)} if access else {})
    return Change(flavorid=flavor.flavorid, name=flavor.name, came=Came.CREATED, members=members)


def _difference_of_access(flavor: Flavor, access: Sequence[Project] | None) -> dict[str, tuple[Any, Any]]:
    """Return the change of the access list, if there is any: a project that is given by its id alone keeps its name."""
    if access is None:
        return {}
    has = access_of(flavor) or []
    names = {project["id"]: project for project in has}
    same = [names.get(project["id"], project) if project.keys() == {"id"} else project for project in access]
    return {} if same == has else {ACCESS: (has, list(access))}


def _grant(entry: Entry, flavor: Flavor, access: Sequence[Project] | None) -> None:
    if access and flavor.is_public:
        raise UnreadableDocument([entry.problem(ACCESS, "a flavor that is_public is open to every project")])
    if access is not None:
        grant_only(flavor, access)


def _find(values: Mapping[str, Any]) -> Flavor | None:
    if "flavorid" in values:
        return Flavor.objects.filter(flavorid=values["flavorid"]).first()
    return Flavor.objects.filter(name_key=Lower(Value(values["name"]))).first()


def _require_changeable(entry: Entry, known: Flavor, members: Mapping[str, tuple[Any, Any]]) -> None:
    problems = [
        entry.problem(member, f"a {member} flavor stays {member}")
        for member in STATES
        if members.get(member) == (True, False)
    ]
    others = [member for member in members if member not in STATES]
    promoted = members["promoted"][1] if "promoted" in members else known.promoted
    if others and not promoted and known.nodes:
        where = ", ".join(known.nodes)
        problems += [
            entry.problem(member, f"cannot change: installed in {where}, and not promoted") for member in others
        ]
    if problems:
        raise UnreadableDocument(problems)


def _save(entry: Entry, flavor: Flavor, **options: Any) -> None:
    try:
        flavor.full_clean()
        flavor.save(**options)
    except ValidationError as error:
        messages = error.message_dict
        raise UnreadableDocument(
            f"{entry.label}: {text}" if member == "__all__" else entry.problem(member, text)
            for member, texts in messages.items()
            for text in texts
        ) from error
    except IntegrityError as error:
        raise UnreadableDocument([f"{entry.label}: another flavor has just taken its name or id"]) from error
