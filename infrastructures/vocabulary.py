"""The XML vocabulary of the clouds."""

from types import MappingProxyType

from flavorsync_project.api.vocabulary import Kind, Resource, is_answered, is_taken

INFRASTRUCTURE = Resource(
    element="infrastructure",
    attributes=("id",),
    children=MappingProxyType(
        dict.fromkeys(
            (
                "name",
                "nova_url",
                "keystone_url",
                "username",
                "password",
                "tenant",
                "region",
                "user_domain",
                "project_domain",
            ),
            Kind.TEXT,
        )
    ),
)


is_taken(INFRASTRUCTURE)
is_answered("infrastructure", INFRASTRUCTURE)
is_answered("Infrastructures", INFRASTRUCTURE, in_list="infrastructures")
