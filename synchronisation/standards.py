"""What the catalogue and a node meet of the standards of the Sovereign Cloud Stack."""

from flavors.catalogue.comparison import NodeFlavors
from flavors.models import Flavor
from flavors.scs.standard import MANDATORY, RECOMMENDED, Verdict, judge


def of_catalogue() -> Verdict:
    """Return what the promoted flavors meet that are open to every project. Cost: one query, of SCS flavors alone."""
    return judge(Flavor.objects.promoted().filter(is_public=True).about_scs())


def of_node(found: NodeFlavors) -> Verdict:
    """Return what the flavors of a node meet that are open to every project there."""
    return judge(flavor for flavor in found.by_id.values() if flavor.is_public)


def figures(verdict: Verdict) -> tuple[str, str, str]:
    """Return, in words, how much is met of the names, of the mandatory and of the recommended flavors."""
    wrong = len(verdict.wrong_names) + len(verdict.broken_promises)
    has = sum(not verdict.standard[name] for name in MANDATORY)
    return (
        f"{wrong} wrong" if wrong else "met",
        "met" if verdict.has_mandatory else f"{has} of {len(MANDATORY)}",
        f"{verdict.recommended} of {len(RECOMMENDED)}",
    )
