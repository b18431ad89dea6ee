"""The Sovereign Cloud Stack's standards: names explained, and the verdicts of the standard's own tests."""

from dataclasses import dataclass, field

import pytest

from flavors.scs.names import NoScsName, parse
from flavors.scs.standard import MANDATORY, RECOMMENDED, judge, specification


@dataclass
class Has:
    """A flavor that somebody has."""

    name: str
    vcpus: int = 1
    ram: int = 4096
    disk: int = 0
    extra_specs: dict[str, str] = field(default_factory=dict)


def standard(name: str, **other: int) -> Has:
    """Return a standard flavor as it should be, but for what is *other*."""
    spec = specification(name)
    numbers = {member: int(spec[member]) for member in ("vcpus", "ram", "disk")} | other
    return Has(name, **numbers, extra_specs={key: str(value) for key, value in spec.items() if ":" in key})


# Those of scs-0100 v3: its examples, and what its parser accepts.
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("SCS-8V-32-100s", "8 vCPUs, shared core, 32 GiB, 100 GB SSD"),
        ("SCS-1L-1", "1 vCPU, crowded core, 1 GiB"),
        ("SCS-2C-3.5-10n", "2 vCPUs, dedicated cores, 3.5 GiB, 10 GB network disk"),
        ("SCS-2C-4-3x10s_bms_z3", "2 vCPUs, dedicated cores, 4 GiB, 3 x 10 GB SSD, bare metal, AMD Zen 3"),
        ("SCS-2C-4-", "2 vCPUs, dedicated cores, 4 GiB, disk"),
        ("SCS-2C-4-n", "2 vCPUs, dedicated cores, 4 GiB, network disk"),
        ("SCS-2Li-4uo", "2 vCPUs, crowded core, 4 GiB, without fixes of the CPU, without ECC, oversubscribed RAM"),
        ("SCS-2C-4-_ib", "2 vCPUs, dedicated cores, 4 GiB, disk, InfiniBand"),
        (
            "SCS-16T-64-3x10s_bms_hwv_i3h_GNa-64_ib",
            (
                "16 vCPUs, dedicated threads, 64 GiB, 3 x 10 GB SSD, bare metal, nested virtualisation, "
                "Intel Ice Lake, high performance, Nvidia GPU, InfiniBand"
            ),
        ),
        # Version 1, which is tolerated
        ("SCS-4V:16:50", "4 vCPUs, shared core, 16 GiB, 50 GB disk"),
        ("SCS-16T:64:3x10s-GNa:64-ib", "16 vCPUs, dedicated threads, 64 GiB, 3 x 10 GB SSD, Nvidia GPU, InfiniBand"),
    ],
)
def test_a_name_is_explained(name: str, words: str) -> None:
    assert parse(name).in_words() == words


@pytest.mark.parametrize(
    "name",
    [
        *("SCS-", "SCS-2-4-10n", "SCS-2iT-4-10n", "SCS-2C-4ou-10n", "SCS-2C-1.5n-x", "SCS-2C-4-1.5n", "SCS-0V-4"),
        *("SCS-V-4", "SCS-2V-", "SCS-2V-0", "SCS-2V-4.3", "SCS-2V-1.2.3", "SCS-2V-4-0", "SCS-2V-4-0x10", "SCS-2v-4"),
        *("SCS-2V-4_z9", "SCS-2V-4_ihhhh", "SCS-2V-4_r1", "SCS-2V-4_GNq", "SCS-2V-4_GN-0", "SCS-2V-4_ib_kvm"),
        *("SCS-2V-4 ", "SCS-2V-4:10", "SCS-2V:4-10", "SCS-4V-16-100S", "SCS-2V-4\n"),
    ],
)
def test_what_the_standard_does_not_allow_is_no_name(name: str) -> None:
    with pytest.raises(NoScsName):
        parse(name)


def test_a_flavor_may_have_more_than_its_name_says_and_not_less() -> None:
    flavors = [
        Has("SCS-2V-4-10", vcpus=4, ram=8192, disk=20),
        Has("SCS-2V-4-20", vcpus=1, ram=4096, disk=20),
        Has("SCS-1V-4-5", ram=4044, disk=4),
        Has("SCS-1V-8", ram=8191),  # a rounded GiB
        Has("SCS-nonsense"),
        Has("m1.small"),
    ]
    verdict = judge(flavors)
    assert set(verdict.names) == {"SCS-2V-4-10", "SCS-2V-4-20", "SCS-1V-4-5", "SCS-1V-8"}
    assert verdict.broken_promises == {
        "SCS-2V-4-20": ["vcpus is 1, less than 2"],
        "SCS-1V-4-5": ["ram is 3.9, less than 4", "disk is 4, less than 5"],
    }
    assert set(verdict.wrong_names) == {"SCS-nonsense"}
    assert not verdict.keeps_names
    assert judge(flavors[:1] + flavors[-1:]).keeps_names


def test_all_mandatory_flavors_have_to_be_there_as_they_are() -> None:
    complete = [standard(name) for name in MANDATORY]
    verdict = judge(complete)
    assert (verdict.has_mandatory, verdict.keeps_names, verdict.recommended) == (True, True, 0)
    assert judge([*complete, *map(standard, RECOMMENDED[:3])]).recommended == 3
    missing = judge(complete[1:])
    assert (missing.has_mandatory, missing.standard["SCS-1V-4"]) == (False, ["missing"])
    # More is right for a name, and wrong for a standard flavor.
    more = judge([standard("SCS-1V-4", ram=8192), *complete[1:]])
    assert (more.keeps_names, more.has_mandatory) == (True, False)
    assert more.standard["SCS-1V-4"] == ["ram is 8192, not 4096"]


def test_a_standard_flavor_is_found_by_its_extra_spec_and_compared_with_all_of_them() -> None:
    flavors = [standard(name) for name in MANDATORY]
    flavors[0].name = "small"
    assert judge(flavors).has_mandatory
    del flavors[0].extra_specs["scs:cpu-type"]
    assert judge(flavors).standard["SCS-1V-4"] == ["scs:cpu-type is not shared-core, but missing"]
    flavors[13].extra_specs["scs:disk0-type"] = "network"
    assert judge(flavors).standard["SCS-2V-4-20s"] == ["scs:disk0-type is network, not ssd"]


def test_the_seven_mistakes_of_the_standards_own_test_data_are_found() -> None:
    """Those of its file of wrong flavors, made in a cloud: no verdict on any other flavor changes."""
    flavors = {name: standard(name) for name in (*MANDATORY, *RECOMMENDED)}
    flavors["SCS-1V-4"].extra_specs["scs:cpu-type"] = "crowded-core"
    flavors["SCS-2V-8"].extra_specs["scs:name-v1"] = "SCS-2V-8"
    flavors["SCS-4V-16"].ram = 12 * 1024
    flavors["SCS-8V-32"].disk = 128
    flavors["SCS-1V-2"].vcpus = 2
    del flavors["SCS-2V-4-20s"].extra_specs["scs:disk0-type"]
    flavors["SCS-4V-16-100s"].disk = 10
    verdict = judge(flavors.values())
    assert {name: problems for name, problems in verdict.standard.items() if problems} == {
        "SCS-1V-4": ["scs:cpu-type is crowded-core, not shared-core"],
        "SCS-2V-8": ["scs:name-v1 is SCS-2V-8, not SCS-2V:8"],
        "SCS-4V-16": ["ram is 12288, not 16384"],
        "SCS-8V-32": ["disk is 128, not 0"],
        "SCS-1V-2": ["vcpus is 2, not 1"],
        "SCS-2V-4-20s": ["scs:disk0-type is not ssd, but missing"],
        "SCS-4V-16-100s": ["disk is 10, not 100"],
    }
    # Of these, the names break a promise only where there is less than they say.
    assert set(verdict.broken_promises) == {"SCS-4V-16", "SCS-4V-16-100s"}
