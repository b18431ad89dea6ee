"""What the database refuses, with a message when validated, and by constraint when not."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, models, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import ProtectedError
from django.utils import timezone
from pytest_django import Settings

from infrastructures.models import Infrastructure, Replacement
from testing.infrastructures import PASSWORD, a_registered, make_infrastructure, make_registered, make_replacement

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def assert_refused(instance: models.Model, message: str) -> None:
    """Fail unless validation refuses it in these words, and the database without any."""
    with pytest.raises(ValidationError) as caught:
        instance.full_clean()
    assert message in caught.value.messages
    with pytest.raises(IntegrityError), transaction.atomic():
        instance.save()


def test_a_name_is_there_once() -> None:
    make_infrastructure("Spain2")
    assert_refused(Infrastructure(name="Spain2"), "There is already a node of this name.")


def test_a_name_is_not_empty() -> None:
    assert_refused(Infrastructure(name=""), "This field cannot be blank.")
    with pytest.raises(ValidationError, match="A node needs a name"):
        Infrastructure(name="").validate_constraints()


@pytest.mark.parametrize(
    ("values", "member"),
    [
        *(({"name": name}, "name") for name in ("a/b", " a", "a ", "a\n", "/", " ", "x" * 256)),
        *(
            ({"keystone_url": url}, "keystone_url")
            for url in (
                "keystone",
                "ftp://a.example.org",
                "file:///etc",
                "https://",
                "https://a.example.org/" + "x" * 250,
            )
        ),
        ({"region": "x" * 256}, "region"),
    ],
)
def test_malformed_values_are_refused(values: dict[str, str], member: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Infrastructure(**{"name": "Spain2"} | values).full_clean()
    assert set(caught.value.message_dict) == {member}


@pytest.mark.parametrize("name", ["a", "Spain2", "Spain 2", "España", "x" * 255])
def test_names_may_have_letters_of_all_sorts_and_inner_spaces(name: str) -> None:
    Infrastructure(name=name, keystone_url="http://10.0.0.1:5000/v3", region="RegionOne").full_clean()


def test_infrastructures_are_ordered_by_name() -> None:
    for name in ("b", "a", "é", "Z"):
        make_infrastructure(name)
    assert [str(infrastructure) for infrastructure in Infrastructure.objects.all()] == ["Z", "a", "b", "é"]


def test_a_region_bears_the_nodes_name_unless_it_has_another() -> None:
    assert Infrastructure(name="Spain2").region_name == "Spain2"
    assert Infrastructure(name="Spain2", region="RegionOne").region_name == "RegionOne"


def test_the_keystone_is_the_central_one_unless_it_has_another(settings: Settings) -> None:
    settings.KEYSTONE_URL = "https://central.example.org"
    own = Infrastructure(name="Mordor", keystone_url="https://mordor.example.org")
    assert Infrastructure(name="Spain2").effective_keystone_url == "https://central.example.org"
    assert own.effective_keystone_url == "https://mordor.example.org"


# Credentials

CREDENTIALS_WHOLE = "Credentials are a Keystone URL, a user name, a password and a tenant."


@pytest.mark.parametrize("missing", ["keystone_url", "username", "tenant"])
def test_a_password_takes_the_rest_of_the_credentials(missing: str) -> None:
    assert_refused(a_registered("Spain2", **{missing: ""}), CREDENTIALS_WHOLE)


def test_the_rest_of_the_credentials_takes_no_password() -> None:
    infrastructure = a_registered("Spain2", password="")
    infrastructure.full_clean()
    infrastructure.save()
    assert not Infrastructure.objects.get().has_credentials


@pytest.mark.parametrize(
    ("exclude", "is_said"), [({"encrypted_password"}, True), ({"username", "encrypted_password"}, False)]
)
def test_a_form_that_has_the_user_name_checks_the_credentials(exclude: set[str], is_said: bool) -> None:
    """Whatever it leaves out: no form has the stored password."""
    infrastructure = a_registered("Spain2", tenant="")
    try:
        infrastructure.validate_constraints(exclude=exclude)
        said = False
    except ValidationError as error:
        said = error.messages == [CREDENTIALS_WHOLE]
    assert said is is_said


@pytest.mark.parametrize("member", ["user_domain", "project_domain"])
def test_domains_have_names(member: str) -> None:
    infrastructure = make_registered("Spain2")
    assert getattr(infrastructure, member) == "Default"
    setattr(infrastructure, member, "")
    with pytest.raises(ValidationError) as caught:
        infrastructure.full_clean()
    assert set(caught.value.message_dict) == {member}


def test_a_password_is_in_no_representation_of_the_record() -> None:
    infrastructure = make_registered("Spain2")
    assert PASSWORD not in f"{infrastructure!r} {infrastructure} {infrastructure.__dict__} {vars(infrastructure)}"


def test_an_account_that_goes_leaves_the_clouds_it_operated(django_user_model: Any) -> None:
    infrastructure = make_registered("Spain2")
    operator = django_user_model.objects.create(username="operator")
    infrastructure.operators.add(operator)
    assert list(Infrastructure.objects.operated_by(operator)) == [infrastructure]
    operator.delete()
    assert list(Infrastructure.objects.all()) == [infrastructure]
    assert not infrastructure.operators.exists()


# Replacements


def test_a_flavor_is_replaced_once_at_a_time() -> None:
    record = make_replacement()
    again = Replacement(infrastructure=record.infrastructure, flavorid="42", old=record.old, new=record.new)
    assert_refused(again, "This flavor is already being replaced.")
    make_replacement(infrastructure=record.infrastructure, flavorid="43")
    make_replacement(infrastructure=make_infrastructure("Mordor"), flavorid="42")


@pytest.mark.parametrize("values", [{"goal": "both"}, {"goal": ""}, {"flavorid": ""}, {"flavorid": "x" * 256}])
def test_a_malformed_replacement_is_refused(values: dict[str, Any]) -> None:
    record = make_replacement()
    for member, value in values.items():
        setattr(record, member, value)
    with pytest.raises(ValidationError) as caught:
        record.full_clean()
    assert set(caught.value.message_dict) == set(values)


@pytest.mark.parametrize(("goal", "flavor"), [("new", "new"), ("old", "old")])
def test_a_flavor_that_is_wanted_is_written_down(goal: str, flavor: str) -> None:
    record = make_replacement(goal=goal)
    setattr(record, flavor, None)
    assert_refused(record, "A flavor that is wanted has to be written down.")


@pytest.mark.parametrize("values", [{"unsure_until": None}, {"old": {}}, {"is_met": True}])
def test_what_wants_nothing_has_no_old_flavor_and_is_there_for_a_while(values: dict[str, Any]) -> None:
    lasting = {"goal": "nil", "old": None, "unsure_until": timezone.now()}
    record = make_replacement(**lasting)
    for member, value in values.items():
        setattr(record, member, value)
    assert_refused(record, "What wants nothing has no old flavor, and goes when all is answered.")


def test_an_infrastructure_with_open_replacements_stays() -> None:
    record = make_replacement()
    with pytest.raises(ProtectedError):
        record.infrastructure.delete()


def test_replacements_are_ordered_by_age() -> None:
    infrastructure = make_infrastructure()
    records = [make_replacement(infrastructure=infrastructure, flavorid=id) for id in ("b", "c", "a")]
    Replacement.objects.update(created_at=records[0].created_at)
    assert [record.flavorid for record in Replacement.objects.all()] == ["b", "c", "a"]
    Replacement.objects.filter(flavorid="b").update(created_at=infrastructure.created_at.replace(year=2099))
    assert [record.flavorid for record in Replacement.objects.all()] == ["c", "a", "b"]
    assert str(records[0]) == "b in Spain2"


def test_the_role_of_owners_may_register_nodes_and_look_at_flavors() -> None:
    permissions = Group.objects.get(name="InfrastructureOwner").permissions
    assert set(permissions.values_list("content_type__app_label", "codename")) == {
        ("infrastructures", "register_infrastructure"),
        ("flavors", "view_flavor"),
    }


# Names in any case


def test_a_name_is_taken_in_any_case() -> None:
    make_infrastructure("Spain2")
    with pytest.raises(ValidationError, match="There is already a node of this name"):
        Infrastructure(name="spain2").full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        Infrastructure.objects.create(name="spain2")


@pytest.mark.django_db(transaction=True)
@pytest.mark.thorough
def test_the_migration_names_those_that_differ_in_case_alone_and_changes_nothing() -> None:
    before, after = [("infrastructures", "0003_check")], [("infrastructures", "0004_names_in_any_case")]
    everything = MigrationExecutor(connection).loader.graph.leaf_nodes()
    old = migrated(before).get_model("infrastructures", "Infrastructure").objects
    try:
        for name in ("Spain2", "spain2", "Mordor"):
            old.create(name=name)
        with pytest.raises(IntegrityError, match=r"differ in case alone: Spain2/spain2\. Rename"):
            migrated(after)
        old.filter(name="spain2").delete()
        migrated(after)
    finally:
        old.all().delete()
        migrated(everything)


def migrated(targets: list[tuple[str, str]]) -> Any:
    """Migrate to there, and return the models as they are then."""
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    return MigrationExecutor(connection).loader.project_state(targets).apps
