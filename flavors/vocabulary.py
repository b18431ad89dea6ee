"""The catalogue's flavors in XML."""

from types import MappingProxyType

from flavorsync_project.api.vocabulary import Kind, Resource, is_answered, is_taken

FLAVOR = Resource(
    element="flavor",
    attributes=("id",),
    children=MappingProxyType(
        {
            "name": Kind.TEXT,
            "vcpus": Kind.INTEGER,
            "ram": Kind.INTEGER,
            "disk": Kind.INTEGER,
            "swap": Kind.INTEGER,
            "promoted": Kind.BOOLEAN,
            "public": Kind.BOOLEAN,
            "retire": Kind.BOOLEAN,
            "retire_at": Kind.TEXT,
        }
    ),
    lists=MappingProxyType({"nodes": "node"}),
)


is_taken(FLAVOR)
is_answered("flavor", FLAVOR)
is_answered("flavors", FLAVOR, in_list="flavors")
