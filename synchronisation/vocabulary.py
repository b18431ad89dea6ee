"""The XML vocabulary of synchronisation runs."""

from types import MappingProxyType

from flavorsync_project.api.vocabulary import Kind, Resource, is_answered, is_taken

DIFFERENCE = Resource(
    element="difference",
    attributes=("member",),
    children=MappingProxyType({"node": Kind.VALUE, "catalogue": Kind.VALUE, "cause": Kind.TEXT}),
)

OUTCOME = Resource(
    element="outcome",
    attributes=("id",),
    children=MappingProxyType(
        {
            "name": Kind.TEXT,
            "state": Kind.TEXT,
            "action": Kind.TEXT,
            "reason": Kind.TEXT,
            "servers": Kind.INTEGER,
            "result": Kind.TEXT,
            "seconds": Kind.NUMBER,
        }
    ),
    parts=MappingProxyType({"differences": DIFFERENCE}),
)

COUNTS = Resource(
    element="counts",
    children=MappingProxyType(
        dict.fromkeys(
            (
                *("in_sync", "missing", "different", "other_id", "name_taken", "unreachable"),
                *("ignored", "changed", "not_compared"),
            ),
            Kind.INTEGER,
        )
    ),
)

SYNCHRONISED_NODE = Resource(
    element="node",
    attributes=("name",),
    children=MappingProxyType(
        dict.fromkeys(("state", "error", "started_at", "compared_at", "finished_at"), Kind.TEXT),
    ),
    parts=MappingProxyType({"counts": COUNTS, "outcomes": OUTCOME}),
)

KEPT = Resource(element="node", attributes=("name",), children=MappingProxyType({"reason": Kind.TEXT}))

RETIRING = Resource(
    element="flavor",
    attributes=("id",),
    children=MappingProxyType({"name": Kind.TEXT, "retire_at": Kind.TEXT}),
    parts=MappingProxyType({"nodes": KEPT}),
)

STATUS = Resource(
    element="status",
    children=MappingProxyType({"state": Kind.TEXT}),
    parts=MappingProxyType({"nodes": SYNCHRONISED_NODE, "retiring": RETIRING}),
)

PROGRESS = Resource(
    element="progress",
    children=MappingProxyType(dict.fromkeys(("nodes", "nodes_done", "flavors", "flavors_done"), Kind.INTEGER)),
)

RUN = Resource(
    element="run",
    attributes=("id",),
    children=MappingProxyType(
        {
            "state": Kind.TEXT,
            "requested_by": Kind.TEXT,
            **dict.fromkeys(("dry_run", "replace", "exact"), Kind.BOOLEAN),
            **dict.fromkeys(("created_at", "started_at", "finished_at"), Kind.TEXT),
        }
    ),
    lists=MappingProxyType({"flavors": "flavor"}),
    parts=MappingProxyType({"progress": PROGRESS, "nodes": SYNCHRONISED_NODE}),
)

RUN_REQUEST = Resource(
    element="run",
    children=MappingProxyType(dict.fromkeys(("dry_run", "replace", "exact"), Kind.BOOLEAN)),
    lists=MappingProxyType({"nodes": "node", "flavors": "flavor"}),
)


is_taken(RUN_REQUEST)
is_answered("status", STATUS)
is_answered("run", RUN)
is_answered("runs", RUN, in_list="runs")
