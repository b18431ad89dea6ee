"""The rules for the catalogue's values, whoever writes them: the API, the admin site or a command."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from flavors.models import Flavor

GOOD: dict[str, Any] = {"flavorid": "1", "name": "m1.tiny", "vcpus": 1, "ram": 512, "disk": 1}


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        ("name", "smile \U0001f600", "U+1F600"),
        ("name", "a\u0085b", "U+0085"),
        ("name", " a", "begin or end with a space"),
        ("flavorid", ".", "no path"),
        ("flavorid", "..", "no path"),
        ("flavorid", "detail", "no path"),
        ("flavorid", "a/b", "letters"),
        ("flavorid", "é", "letters"),
        ("rxtx_factor", -5.0, "greater than 0"),
        ("rxtx_factor", 0.0, "greater than 0"),
        ("rxtx_factor", float("nan"), "greater than 0"),
        ("extra_specs", [1, 2], "must be an object"),
        ("extra_specs", {"a": {"b": 1}}, "must be a string"),
        ("extra_specs", {"a": 1}, "must be a string"),
        ("extra_specs", {"a": "x" * 256}, "at most 255"),
        ("extra_specs", {"a/b": "1"}, "the key 'a/b'"),
        ("extra_specs", {"": "1"}, "the key ''"),
        ("extra_specs", {"x" * 256: "1"}, "the key"),
    ],
)
def test_what_nova_does_not_take_is_refused(member: str, value: object, message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Flavor(**GOOD | {member: value}).clean_fields()
    (text,) = raised.value.message_dict[member]
    assert message in text


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("name", "Größe 2"),
        ("flavorid", "a b._-1"),
        ("flavorid", "details"),
        ("rxtx_factor", 0.1),
        ("extra_specs", {}),
        ("extra_specs", {"hw:cpu_policy": "dedicated", "a b.c-d_e": "", "x" * 255: "y" * 255}),
    ],
)
def test_what_nova_takes_passes(member: str, value: object) -> None:
    Flavor(**GOOD | {member: value}).clean_fields()
