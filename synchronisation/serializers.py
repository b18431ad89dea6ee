"""Synchronisation runs on the wire: the request, the progress, and the outcome of each flavor in each node."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from flavors.catalogue.comparison import CAUSES
from flavors.catalogue.states import RECORDED, UNRECORDED
from flavorsync_project.api.serializers import IdField, StrictBooleanField, StrictListField, wrapped
from infrastructures.fields import FLAVOR_ID, NAME, FlavorIdField, NameField
from synchronisation.history import outcomes_of
from synchronisation.models import Progress, SyncNode, SyncOutcome, SyncRun
from synchronisation.retiring import Kept, Retiring
from synchronisation.runs import NodeStatus, RunInFull, Status, SummedUp
from synchronisation.summary import NodeSummary

MAX_ITEMS = 1000


# Requests


def _some(text: Mapping[str, Any], *, item: str) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "maxItems": MAX_ITEMS, "items": {**text, "xml": {"name": item}}}


class _ChosenField(StrictListField):
    default_error_messages = {
        "empty": "must not be empty: leave it out for all",
        "max_length": "must not hold more than {max_length}",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_empty=False, max_length=MAX_ITEMS, **kwargs)


@extend_schema_field(_some(NAME, item="node"))
class ChosenNodesField(_ChosenField):
    """The names of one or more nodes."""

    child = NameField()


@extend_schema_field(_some(FLAVOR_ID, item="flavor"))
class ChosenFlavorsField(_ChosenField):
    """The ids of one or more flavors."""

    child = FlavorIdField()


class SyncRunCreationSerializer(serializers.Serializer[Any]):
    """What a run should do, and where; without members it repairs everything that needs no replacement, everywhere."""

    nodes = ChosenNodesField(required=False, help_text="By default all that the caller may synchronise")
    flavors = ChosenFlavorsField(required=False, help_text="Ids; by default those of all promoted flavors")
    dry_run = StrictBooleanField(required=False, help_text="Whether only to say what would be done")
    replace = StrictBooleanField(
        required=False, help_text="Whether to delete and create again what Nova cannot change in place"
    )
    exact = StrictBooleanField(
        required=False, help_text="Whether to remove extra specs that the catalogue does not name"
    )


# Responses


@extend_schema_field({"oneOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}], "nullable": True})
class ValueField(serializers.JSONField):
    """The value of a flavor's member, of any type; null for an extra spec that is missing."""


class DifferenceSerializer(serializers.Serializer[Any]):
    """A member whose value differs between the node and the catalogue."""

    member = IdField(help_text="As Nova calls it; an extra spec is `extra_specs.KEY`")
    node = ValueField()
    catalogue = ValueField()
    cause = serializers.ChoiceField(
        CAUSES,
        required=False,
        help_text="What has changed since Flavor Sync last applied the value there; absent where that is not known",
    )


class FindingSerializer(serializers.Serializer[SyncOutcome]):
    """What a node has of one flavor, and what a run would do about it."""

    id = IdField(source="flavorid")
    name = serializers.CharField()
    state = serializers.ChoiceField(SyncOutcome.State.choices)
    action = serializers.ChoiceField(SyncOutcome.Action.choices)
    reason = serializers.CharField(
        help_text="Why nothing can be done, it failed or is ignored; for an adoption, the id there"
    )
    differences = DifferenceSerializer(many=True)


class OutcomeSerializer(FindingSerializer):
    """What a run found of one flavor in one node, what it planned, and the result."""

    servers = serializers.IntegerField(allow_null=True, help_text="How many use it, counted before it is replaced")
    result = serializers.ChoiceField(
        SyncOutcome.Result.choices, help_text="The outcome of the action; empty if there was nothing to do"
    )
    seconds = serializers.FloatField(allow_null=True, help_text="How long the action took")


class CountsSerializer(serializers.Serializer[Any]):
    """How many flavors are in each state in a node."""

    in_sync = serializers.IntegerField()
    missing = serializers.IntegerField()
    different = serializers.IntegerField()
    other_id = serializers.IntegerField()
    name_taken = serializers.IntegerField()
    unreachable = serializers.IntegerField()
    ignored = serializers.IntegerField(help_text="Exceptions, whatever was seen of them")
    changed = serializers.IntegerField(help_text="Seen, and changed in the catalogue since")
    not_compared = serializers.SerializerMethodField(help_text="Never seen")

    def get_not_compared(self, counts: Counter[str]) -> int:
        """Return how many were never seen there, whether the catalogue has an installation or not."""
        return counts[RECORDED] + counts[UNRECORDED]


class NodeStatusSerializer(serializers.Serializer[NodeStatus]):
    """What a node has right now or, in a summary, had when it was last asked."""

    name = IdField()
    state = serializers.ChoiceField(SyncNode.State.choices, help_text="`failed` when the node could not be asked")
    error = serializers.CharField(help_text="Why it could not be asked")
    compared_at = serializers.DateTimeField(allow_null=True, help_text="Null, in a summary, for never")
    outcomes = FindingSerializer(many=True, required=False, help_text="Not in a summary")
    counts = CountsSerializer(required=False, help_text="In a summary")


class SyncNodeSerializer(serializers.Serializer[SyncNode]):
    """A node's part of a run."""

    name = IdField()
    state = serializers.ChoiceField(SyncNode.State.choices)
    error = serializers.CharField(help_text="Why the node as a whole failed")
    started_at = serializers.DateTimeField(allow_null=True)
    compared_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    outcomes = serializers.SerializerMethodField()

    @extend_schema_field(OutcomeSerializer(many=True))
    def get_outcomes(self, node: SyncNode) -> Any:
        """Return the outcome of each flavor, including those without a row.

        All nodes of a run in which nothing happened have the same outcomes, which are serialised once.
        """
        quiet: dict[int | None, Any] = {} if node.is_kept else self.context["quiet"]
        if node.compared_with_id not in quiet:
            outcomes: Any = outcomes_of(node, self.context["choice"])
            quiet[node.compared_with_id] = OutcomeSerializer(outcomes, many=True).data
        return quiet[node.compared_with_id]


class KeptSerializer(serializers.Serializer[Kept]):
    """A node that still has a flavor that is being retired."""

    name = IdField()
    reason = serializers.CharField(help_text="Why the last run has left it there; empty when none has looked")


class RetiringSerializer(serializers.Serializer[Retiring]):
    """A flavor that will be removed from the nodes and then from the catalogue."""

    id = IdField(source="flavorid")
    name = serializers.CharField()
    retire_at = serializers.DateTimeField(help_text="From when")
    nodes = KeptSerializer(many=True)


class StatusSerializer(serializers.Serializer[Status]):
    """What nodes have right now; `state` is that in which a dry run would end."""

    state = serializers.ChoiceField(SyncRun.State.choices)
    nodes = NodeStatusSerializer(many=True)
    retiring = RetiringSerializer(many=True, required=False, help_text="Not there when nothing is being retired")


class NodeSummarySerializer(serializers.Serializer[NodeSummary]):
    """What a node had when it was last asked."""

    name = serializers.CharField()
    state = serializers.SerializerMethodField()
    error = serializers.CharField()
    compared_at = serializers.DateTimeField()
    counts = CountsSerializer()

    def get_state(self, node: NodeSummary) -> str:
        """Return the state as that of a node in a run: failed, done, or waiting if it was never compared."""
        if node.unreachable_at:
            return SyncNode.State.FAILED.value
        return SyncNode.State.DONE.value if node.compared_at else SyncNode.State.WAITING.value


class SummedUpSerializer(serializers.Serializer[SummedUp]):
    """What nodes had when they were last asked."""

    state = serializers.CharField()
    nodes = NodeSummarySerializer(many=True)


class ProgressSerializer(serializers.Serializer[Progress]):
    """How much of a run is done; a flavor counts once for each node."""

    nodes = serializers.IntegerField()
    nodes_done = serializers.IntegerField()
    flavors = serializers.IntegerField()
    flavors_done = serializers.IntegerField()


@extend_schema_field({"type": "array", "items": {"type": "string", "xml": {"name": "flavor"}}})
class RestrictedFlavorsField(serializers.ListField):
    """The ids of flavors in a response."""

    child = serializers.CharField()


class SyncRunSerializer(serializers.Serializer[SyncRun]):
    """A run without its nodes."""

    id = IdField(source="pk")
    state = serializers.ChoiceField(SyncRun.State.choices)
    requested_by = serializers.CharField()
    dry_run = serializers.SerializerMethodField()
    replace = serializers.BooleanField(source="replaces")
    exact = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    flavors = RestrictedFlavorsField(source="flavorids", help_text="Ids that it is restricted to; empty for all")

    def get_dry_run(self, run: SyncRun) -> bool:
        """Return whether it only reports what would be done."""
        return not run.repairs


class SyncRunInFullSerializer(SyncRunSerializer):
    """A run with its progress and the outcomes in the nodes that the caller may see."""

    progress = ProgressSerializer()
    nodes = SyncNodeSerializer(many=True)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Return the run's own members, its progress and its nodes; *instance* is a `RunInFull`."""
        shown: RunInFull = instance
        nodes: Any = shown.nodes
        return {
            **SyncRunSerializer(shown.run).data,
            "progress": ProgressSerializer(shown.progress).data,
            "nodes": SyncNodeSerializer(nodes, many=True, context={"choice": shown.choice, "quiet": {}}).data,
        }


STATUS_DOCUMENT = wrapped("status", StatusSerializer())
RUN_DOCUMENT = wrapped("run", SyncRunInFullSerializer())
