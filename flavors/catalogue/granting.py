"""The access list of a flavor, as in a document."""

from collections.abc import Mapping, Sequence

from flavors.models import Flavor, Grant

ACCESS = "access"
Project = Mapping[str, str]
"""A project: its `id` in the central Keystone and, if known, its `name` and `domain`."""


def access_of(flavor: Flavor) -> list[Project] | None:
    """Return the projects that a flavor is granted to; None if nothing was ever granted.

    Cost: one query, unless `grants` are prefetched.
    """
    grants = list(flavor.grants.all()) if flavor.pk else []
    return [_as_project(grant) for grant in grants if not grant.revoked] if grants else None


def grant_only(flavor: Flavor, projects: Sequence[Project]) -> None:
    """Grant a flavor to these projects and to no others; call this in a transaction.

    Cost: one query, and two for each project.
    """
    flavor.grants.exclude(project__in=[project["id"] for project in projects]).update(revoked=True)
    for project in projects:
        called = {member: project[member] for member in ("name", "domain") if member in project}
        Grant.objects.update_or_create(flavor=flavor, project=project["id"], defaults={"revoked": False, **called})


def _as_project(grant: Grant) -> Project:
    called = {"name": grant.name, "domain": grant.domain} if grant.name else {}
    return {"id": grant.project, **called}
