"""Which role in which scope is which role here: a role alone never counts."""

import pytest

from identity.mappings import Scope, is_manager, owned_nodes, read_manager, read_operator
from testing.accounts import make_project

SYSTEM = Scope.of({"system": {"all": True}})
FEDERATION = Scope.of({"project": make_project()})
NOTHING = Scope.of({})


def project(name: str, domain: str = "nodes") -> Scope:
    return Scope.of({"project": make_project(name, domain)})


@pytest.mark.parametrize(
    ("entry", "scope"),
    [
        ("boss@system", SYSTEM),
        ("boss@project:federation/Default", FEDERATION),
        ("boss@project:federation/default", FEDERATION),  # the domain's id
        ("boss@project:id-of-federation-in-Default", FEDERATION),
        ("boss@project:a/b/c", project("a/b", "c")),
    ],
)
def test_a_role_in_its_scope_makes_a_manager(entry: str, scope: Scope) -> None:
    assert is_manager([entry], ["other", "boss"], scope)
    assert not is_manager([entry], ["other", "Boss", "boss2", ""], scope)
    elsewhere = {SYSTEM, FEDERATION, NOTHING, project("federation", "Evil"), project("Federation", "Default")} - {scope}
    assert not any(is_manager([entry], ["boss"], other) for other in elsewhere)


@pytest.mark.parametrize("scope", [project("b", "x/a"), project("a", "b/x"), project("a/b/x", ""), project("", "a")])
def test_a_slash_in_a_name_leads_to_no_other_project(scope: Scope) -> None:
    assert not is_manager(["boss@project:a/b/x", "boss@project:a/b"], ["boss"], scope)


@pytest.mark.parametrize(
    ("entry", "role", "scope", "node"),
    [
        ("op@project:{node}/nodes", "op", project("Spain2"), "Spain2"),
        ("op@project:node-{node}/nodes", "op", project("node-Spain2"), "Spain2"),
        ("op-{node}@project:federation/Default", "op-Spain2", FEDERATION, "Spain2"),
        ("op-{node}@system", "op-Spain2", SYSTEM, "Spain2"),
        ("op@project:operators/{node}", "op", project("operators", "Spain2"), "Spain2"),
        ("op@project:operators/{node}", "op", project("operators", "Spain 2"), "Spain 2"),
        ("op-{node}@project:id-of-federation-in-Default", "op-Spain2", FEDERATION, "Spain2"),
    ],
)
def test_the_placeholder_is_the_node_that_is_owned(entry: str, role: str, scope: Scope, node: str) -> None:
    assert owned_nodes([entry], [role], scope) == {node}
    assert owned_nodes([entry], ["member"], scope) == frozenset()
    assert owned_nodes([entry], [role], NOTHING) == frozenset()
    assert owned_nodes([entry], [role], project("Spain2", "evil")) == frozenset()


def test_several_roles_own_several_nodes() -> None:
    entries = ["op-{node}@project:federation/Default", "chief-{node}@project:federation/Default"]
    assert owned_nodes(entries, ["op-Spain2", "chief-Mordor", "op-", "xop-Rohan"], FEDERATION) == {"Spain2", "Mordor"}


def test_half_a_character_names_no_node() -> None:
    assert owned_nodes(["op@project:{node}/nodes"], ["op"], project("Spain\ud8002")) == frozenset()


@pytest.mark.parametrize(
    "entry",
    [
        "boss",
        "boss@",
        "@system",
        "boss@everywhere",
        "boss@project:",
        "boss@project:a/",
        "boss@project:/b",
        "a@b@system",
    ],
)
def test_what_is_no_entry_grants_nothing(entry: str) -> None:
    with pytest.raises(ValueError, match="ROLE@system"):
        read_manager(entry)
    assert not is_manager([entry], ["boss", "", "a", "a@b", "boss@"], SYSTEM)
    assert not is_manager([entry], ["boss", "", "a", "a@b", "boss@"], FEDERATION)


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        ("op@system", "once"),
        ("op@project:federation/Default", "once"),
        ("op-{node}@project:{node}/nodes", "once"),
        ("op@project:{node}", "lacks its domain"),
        ("op{node}", "ROLE@system"),
    ],
)
def test_an_operators_entry_names_the_node(entry: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        read_operator(entry)
    assert owned_nodes([entry], ["op", "op-Spain2"], FEDERATION) == frozenset()


def test_a_manager_is_one_for_all_nodes() -> None:
    with pytest.raises(ValueError, match="all nodes"):
        read_manager("boss@project:{node}/nodes")
    assert not is_manager(["boss@project:{node}/nodes"], ["boss"], project("Spain2"))
