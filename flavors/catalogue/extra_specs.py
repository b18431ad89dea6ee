"""What Nova's own rules say of extra specs, asked of one node for all."""

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
    """Return, for the extra specs of each flavor, why Nova refuses them, or "" where it does not.

    The first node that answers and is new enough for Nova to have such rules (microversion 2.86) is asked. Where
    there is none among the first `NODES_TO_TRY`, nothing is refused.

    Cost: none where there are no extra specs; else one query, and one upstream call for each that has some.
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
