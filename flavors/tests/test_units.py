"""Sizes as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flavors.units import readable_gib, readable_mib


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0"),
        (1, "1 MiB"),
        (512, "512 MiB"),
        (1023, "1,023 MiB"),
        (1024, "1 GiB"),
        (1536, "1.5 GiB"),
        (2000, "2,000 MiB"),
        (8192, "8 GiB"),
        (1024**2, "1 TiB"),
        (1204 * 1024, "1,204 GiB"),
        (2**31 - 1, "2,147,483,647 MiB"),
    ],
)
def test_mebibytes(size: int, text: str) -> None:
    assert readable_mib(size) == text


def test_gibibytes() -> None:
    assert [readable_gib(size) for size in (0, 20, 1024, 1262485504)] == ["0", "20 GiB", "1 TiB", "1,204 PiB"]


@given(one=st.integers(0, 2**31 - 1), other=st.integers(0, 2**31 - 1))
def test_sizes_that_differ_never_look_alike(one: int, other: int) -> None:
    assert (readable_mib(one) == readable_mib(other)) == (one == other)
