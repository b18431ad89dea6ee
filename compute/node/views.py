"""The OpenStack face of a node, which passes requests to the node's own Nova."""

from typing import Any

from django.http import HttpResponse
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from compute.node.forwarding import REQUEST_HEADERS, NovaRequest, forward
from compute.node.links import with_links_to
from compute.wire.errors import PolicyForbids
from compute.wire.links import root_of
from compute.wire.microversions import HEADER, OLD_HEADER
from compute.wire.views import ComputeView
from infrastructures.clouds import open_nova, region_of
from infrastructures.models import Infrastructure
from infrastructures.openstack.connection import SERVICE
from infrastructures.openstack.entering import CallersNova
from infrastructures.openstack.nova import Nova
from infrastructures.openstack.translation import translated

RULE = "flavor_sync:node"
# The response headers that are passed on from Nova
ANSWER_HEADERS = (HEADER, OLD_HEADER, "Vary")


class ForwardedView(ComputeView):
    """Requests about flavors, passed to the node's Nova; client and Nova negotiate the microversion themselves."""

    has_microversions = False

    def forward(self, request: Request, node: str, path: str) -> HttpResponse:
        """Return the response of the node's Nova, with its links rewritten to lead here.

        Raises:
            CloudUnavailable: Nova's links are not links.
        """
        infrastructure = Infrastructure.objects.filter(name=node).first()
        if infrastructure is None:
            raise NotFound(f"The node {node} does not exist.")
        answer = forward(
            _nova_request(request, path), infrastructure=infrastructure, nova=_open(request, infrastructure)
        )
        with translated(infrastructure.name, SERVICE):
            body = with_links_to(root_of(request, node), answer.body)
        response = HttpResponse(body, status=answer.status, content_type="application/json")
        for name in ANSWER_HEADERS:
            if value := answer.headers.get(name):
                response[name] = value
        return response

    get = post = put = delete = forward


def _nova_request(request: Request, path: str) -> NovaRequest:
    """Return the request to pass on, without whatever identifies the caller."""
    query = request._request.GET.copy()
    query.pop("access_token", None)
    return NovaRequest(
        method=request.method or "",
        path=path,
        query=query.urlencode(),
        headers={name: request.headers[name] for name in REQUEST_HEADERS if name in request.headers},
        body=request._request.body,
    )


def _open(request: Request, infrastructure: Infrastructure) -> Nova:
    """Open the node's Nova for its operators with the stored credentials, for others with their own Keystone token.

    A token by which Keystone names an operator need not be worth anything in Nova.

    Raises:
        PolicyForbids: the caller has no token for this node, and does not operate it.
        CloudError: the node refused the credentials, or did not answer.
    """
    is_operator = Infrastructure.objects.operated_by(request.user).filter(pk=infrastructure.pk).exists()
    region = region_of(infrastructure)
    token: Any = request.auth if region.is_central else None
    if is_operator and (infrastructure.has_credentials or not token):
        return open_nova(infrastructure)
    if token:
        return CallersNova(region, token)
    raise PolicyForbids(RULE)
