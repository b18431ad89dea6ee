"""Flavors as a table: what is written is read again, and what is wrong is told by line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flavors.catalogue.documents import UnreadableDocument, read_document
from flavors.catalogue.tables import write_table
from flavors.models import Flavor
from testing.shell import shell

# What spreadsheets, CSV and our own marks give a meaning to; and with a control character that no extra spec has
MARKS = "ab'=+-@;,\\\"\n\r\t nr#\u2028ü"
VALUES = st.text(st.sampled_from(MARKS), max_size=8)
DESCRIPTIONS = st.text(st.sampled_from(f"{MARKS}\x0b"), max_size=8)
# A name begins and ends with a character that is no space
NAMES = st.from_regex("[a='+@;,\\\\\"-]([ a;,'\\\\\"]{0,5}[a;,'])?", fullmatch=True)
KEYS = st.from_regex("[ a:.-][a:. -]{0,4}", fullmatch=True)
HEADING = "id,name,vcpus,ram,disk"


@given(
    name=NAMES,
    description=DESCRIPTIONS,
    extra_specs=st.dictionaries(KEYS, VALUES, max_size=3),
    factor=st.floats(1e-6, 1e6),
)
@pytest.mark.parametrize("line_break", ["\r\n", "\n"])
def test_what_is_written_is_read_again(
    line_break: str, name: str, description: str, extra_specs: dict[str, str], factor: float
) -> None:
    values: dict[str, object] = {"flavorid": "a", "name": name, "description": description, "extra_specs": extra_specs}
    values |= {"vcpus": 1, "ram": 512, "disk": 0, "swap": 2, "ephemeral": 3, "rxtx_factor": factor}
    values |= {"is_public": False, "public": True, "promoted": True}
    table = write_table([Flavor(**values), Flavor(flavorid="b", name="b", vcpus=1, ram=1, disk=1)])
    first, second = read_document(table.replace("\r\n", line_break))
    assert first.values == values
    assert (second.values["flavorid"], second.values["extra_specs"]) == ("b", {})


@pytest.mark.parametrize(
    "table",
    [
        "id,name,vcpus\na,b,1\n",
        "\ufeffID;Name;vCPUs\r\n\r\na;b; 1\r\n",
        "id\tname\tvcpus\na\tb\t1",
        '"id","name","vcpus"\n"a","b","1"\n,,\n',
        "vcpus,name,id\n1,b,a\n",
        "id,name,vcpus,ram\na,b,1,\n",
    ],
)
def test_tables_of_all_kinds_of_spreadsheets_are_read(table: str) -> None:
    (entry,) = read_document(table.encode())
    assert entry.values == {"flavorid": "a", "name": "b", "vcpus": 1}


def test_an_empty_description_is_a_value() -> None:
    (entry,) = read_document("id,name,description,extra_specs\n,b,,")
    assert entry.values == {"name": "b", "description": "", "extra_specs": {}}


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("id,nam,disc\n", "line 1: there is no column nam; the columns are id, name, vcpus, ram, disk, swap, "),
        ("id,name,id\n", "line 1: the column id is there twice"),
        ("id,name,\n", "line 1: there is no column without a name"),
        (f"{HEADING}\n\na,b,1,512\n", "line 3: has 4 cells where the heading has 5"),
        (f"{HEADING}\na,b,1,512,0,9\n", "line 2: has 6 cells where the heading has 5"),
        (f"{HEADING}\na,b,1.5,512,0\n", 'line 2 (b): vcpus: must be an integer, not "1.5"'),
        (f"{HEADING}\na,b,0,512,0\n", "line 2 (b): vcpus: "),
        (f"{HEADING}\na,,1,512,0\nb,,1,512,0\na,,2,1,1\n", "line 4 (a): id: is the same as that of line 2 (a)"),
        (f'{HEADING}\na,b,1,1,1\n"c,d,1,1,1\n', "line 3: cannot be read as CSV: "),
        (f"{HEADING}\n,,1,512,0\n", "line 2: name: is required, or else an id"),
        ("name,promoted\na,yes\n", "line 2 (a): promoted: "),
        ("name,rxtx_factor\na,nan\n", "line 2 (a): rxtx_factor: "),
        ("name,extra_specs\na,hw:x\n", "line 2 (a): extra_specs: must be key=value pairs with a ; between them"),
        ("name,extra_specs\na,h/w=x\n", "line 2 (a): extra_specs: the key 'h/w' "),
        ("näme,id\n".encode("latin-1"), "The table is not in UTF-8: save it as CSV in UTF-8."),
    ],
)
def test_what_is_wrong_is_told_by_line(table: str | bytes, problem: str) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        read_document(table)
    assert caught.value.problems[0].startswith(problem)


@pytest.mark.django_db
def test_the_command_reads_tables(tmp_path: Path) -> None:
    (tmp_path / "flavors.csv").write_text(f"{HEADING}\n,m1.small,1,2048,20\n")
    assert shell("load_catalogue", str(tmp_path / "flavors.csv")).output.endswith("1 created, 0 updated, 0 known.\n")
    assert Flavor.objects.get().name == "m1.small"
