"""How much is kept in memory."""

from flavors.lists.memory import OVERHEAD, Memory


def memory(*, values: int) -> Memory[str]:
    return Memory(max_bytes=values * (OVERHEAD + 10))


def test_what_was_used_last_is_kept() -> None:
    known = memory(values=3)
    for name in ("a", "b", "c"):
        known.put(name, name.upper(), size=10)
    assert known.get("a") == "A"
    known.put("d", "D", size=10)
    assert [known.get(name) for name in "abcd"] == ["A", None, "C", "D"]


def test_what_is_put_again_is_counted_once() -> None:
    known = memory(values=2)
    known.put("a", "A", size=10)
    for _ in range(10):
        known.put("b", "B", size=10)
    assert known.get("a") == "A"


def test_what_is_larger_than_all_of_it_is_not_kept() -> None:
    known = memory(values=10)
    known.put("a", "A", size=10)
    known.put("b", "B", size=10 * (OVERHEAD + 10))
    assert known.get("b") is None


def test_many_small_ones_are_bounded_too() -> None:
    known: Memory[str] = Memory(max_bytes=100 * OVERHEAD)
    for number in range(1000):
        known.put(str(number), "", size=0)
    assert sum(known.get(str(number)) is not None for number in range(1000)) == 100
