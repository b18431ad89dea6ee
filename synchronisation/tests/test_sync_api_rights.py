"""Who may synchronise what over HTTP: managers everything, operators their own nodes, nobody else anything."""

from typing import Any

import pytest

from identity.models import User
from infrastructures.models import Infrastructure
from synchronisation.models import SyncRun
from testing.cloud import Federation
from testing.infrastructures import make_infrastructure
from testing.synchronising import NODES, RUNS, STATUS, Callers, an_outcome, compared, make_run, promote, start
from testing.wire import Answer, Api

pytestmark = pytest.mark.django_db

FOREIGN = {"error": {"message": "You do not operate the node Rohan."}}


def requests(api: Api, run: SyncRun) -> list[Answer]:
    """Send a request to every operation."""
    return [api.get(STATUS), api.get(RUNS), api.get(f"{RUNS}/{run.pk}"), start(api)]


def names(answer: Answer) -> list[str]:
    ((_, document),) = answer.body.items()
    return [node["name"] for node in document["nodes"]]


def test_nobody_is_let_in_without_a_credential(callers: Callers) -> None:
    run = make_run("Mordor")
    for api in (callers.nobody, callers.nobody.having({"user": "manager", "password": "wrong"})):
        assert [answer.status for answer in requests(api, run)] == [401] * 4
    assert SyncRun.objects.count() == 1


def test_a_basic_user_may_nothing(callers: Callers, scripted: Federation) -> None:
    answers = requests(callers.basic, make_run("Mordor"))
    message = "Only the role InfrastructureManager and operators of a node may do this."
    assert [(answer.status, answer.message) for answer in answers] == [(403, message)] * 4
    assert callers.basic.send("POST", RUNS, b"not even read").status == 403
    assert SyncRun.objects.count() == 1
    assert scripted.calls() == {}


def test_a_manager_may_everything(callers: Callers) -> None:
    run = make_run("Rohan")
    assert [answer.status for answer in requests(callers.manager, run)] == [200, 200, 200, 202]
    assert names(callers.manager.get(STATUS)) == list(NODES)
    assert names(start(callers.manager)) == list(NODES)


@pytest.mark.parametrize("node", ["Mordor", "Spain2"])
def test_an_operator_may_everything_in_their_own_nodes(callers: Callers, scripted: Federation, node: str) -> None:
    operator: Api = getattr(callers, node.lower())
    promote("a")
    assert names(operator.get(STATUS)) == [node]
    assert names(operator.get(f"{STATUS}?node={node}&flavor=a")) == [node]
    assert names(start(operator)) == [node]
    assert names(start(operator, nodes=[node], flavors=["a"], replace=True)) == [node]
    assert {run.requested_by for run in SyncRun.objects.all()} == {node.lower()}
    assert list(scripted.calls()) == [node]


def test_a_foreign_node_is_403_and_one_that_there_is_not_404_or_409(callers: Callers, scripted: Federation) -> None:
    operator = callers.mordor
    assert operator.get(f"{STATUS}?node=Rohan&node=Mordor").result == (403, FOREIGN)
    assert start(operator, nodes=["Mordor", "Rohan"]).result == (403, FOREIGN)
    assert operator.get(f"{STATUS}?node=Rohan&node=Shire").status == 404
    assert start(operator, nodes=["Rohan", "Shire"]).status == 409
    assert not SyncRun.objects.exists()
    assert scripted.calls() == {}


def test_an_operator_sees_runs_about_their_nodes_and_of_these_no_others_nodes(callers: Callers) -> None:
    foreign, shared = make_run("Rohan", "Spain2"), make_run(*NODES)
    for node in NODES:
        compared(shared, node, an_outcome(f"in-{node}"), ended=node == "Mordor")
    operator = callers.mordor
    assert [run["id"] for run in operator.get(RUNS).body["runs"]] == [str(shared.pk)]
    document = operator.get(f"{RUNS}/{shared.pk}").body["run"]
    assert [node["name"] for node in document["nodes"]] == ["Mordor"]
    assert [outcome["id"] for outcome in document["nodes"][0]["outcomes"]] == ["in-Mordor"]
    assert document["progress"] == {"nodes": 1, "nodes_done": 1, "flavors": 1, "flavors_done": 1}
    missing = f"The run {foreign.pk} does not exist"
    assert operator.get(f"{RUNS}/{foreign.pk}").result == (404, {"error": {"message": missing}})
    assert operator.get(f"{RUNS}?marker={foreign.pk}").status == 400


def test_an_operator_of_several_nodes_sees_a_run_once(callers: Callers) -> None:
    Infrastructure.objects.filter(name="Rohan").update(name="Spain2 too")
    run = make_run(*Infrastructure.objects.values_list("name", flat=True))
    operator = callers.spain2
    if account := User.objects.filter(username="spain2").first():
        account.infrastructures.set(Infrastructure.objects.exclude(name="Mordor"))
        assert names(operator.get(f"{RUNS}/{run.pk}")) == ["Spain2", "Spain2 too"]
    assert [each["id"] for each in operator.get(RUNS).body["runs"]] == [str(run.pk)]


def test_an_operator_without_a_node_has_nothing_to_see_or_to_do(callers: Callers, scripted: Federation) -> None:
    run = make_run(*NODES)
    answers = requests(callers.landless, run)
    assert [answer.status for answer in answers] == [200, 200, 404, 409]
    assert answers[0].body == {"status": {"state": "in_sync", "nodes": []}}
    assert answers[1].body == {"runs": []}
    assert scripted.calls() == {}


def test_an_operator_of_a_node_that_we_cannot_enter_has_to_name_it(callers: Callers) -> None:
    Infrastructure.objects.filter(name="Mordor").update(encrypted_password="")
    make_infrastructure("Shire")
    operator = callers.mordor
    assert (names(operator.get(STATUS)), start(operator).status) == ([], 409)
    (node,) = operator.get(f"{STATUS}?node=Mordor").body["status"]["nodes"]
    assert node["error"] == "Mordor: no credentials are stored for it."


def test_a_node_that_is_gone_is_still_shown_to_managers(callers: Callers) -> None:
    run = make_run(*NODES)
    Infrastructure.objects.get(name="Mordor").delete()
    assert names(callers.manager.get(f"{RUNS}/{run.pk}")) == list(NODES)
    assert callers.mordor.get(f"{RUNS}/{run.pk}").status in (403, 404)
    assert names(callers.spain2.get(f"{RUNS}/{run.pk}")) == ["Spain2"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_run_cannot_be_changed(callers: Callers, method: str) -> None:
    run: Any = make_run("Mordor")
    assert callers.manager.send(method, f"{RUNS}/{run.pk}").status == 405
    assert callers.manager.send(method, STATUS).status == 405
