"""What Nova's own rules say about extra specs. One node is asked for all."""

import logging
from collections.abc import Mapping, Sequence

from infrastructures.clouds import open_nova
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import CloudError, FlavorRefused
from infrastructures.openstack.nova import Nova

logger = logging.getLogger(__name__)

ExtraSpecs = Mapping[str, str]

# Whoever saves a flavor waits for the answer.
NODES_TO_TRY = 3


def refusals_of(extra_specs: Sequence[ExtraSpecs]) -> list[str]:
    """Return why Nova refuses the extra specs of each flavor, or "" if it accepts them.

    Asks the first node that answers and whose Nova is new enough to have such rules (microversion 2.86). If there is
    none among the first `NODES_TO_TRY`, nothing is refused.

    Cost: none without extra specs; else one query, and one upstream call for each flavor that has some.
    """
    if not any(extra_specs):
        return ["" for _ in extra_specs]
    for infrastructure in Infrastructure.objects.with_credentials()[:NODES_TO_TRY]:
        try:
            nova = open_nova(infrastructure)
            if nova.validates_extra_specs:
                return [_refusal(nova, each) for each in extra_specs]
        except CloudError as error:
            logger.info("%s could not be asked about extra specs: %s", infrastructure.name, error)
    return ["" for _ in extra_specs]


def _refusal(nova: Nova, extra_specs: ExtraSpecs) -> str:
    if not extra_specs:
        return ""
    try:
        nova.check_extra_specs(extra_specs)
    except FlavorRefused as error:
        return str(error.detail)
    return ""
