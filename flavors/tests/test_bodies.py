"""How much of the encoded bodies is kept."""

from flavors.bodies import OVERHEAD, Bodies, Body


def body(size: int) -> Body:
    return Body(b"x" * size, {})


def test_what_was_used_last_is_kept() -> None:
    bodies = Bodies(max_bytes=3 * (OVERHEAD + 10))
    for name in ("a", "b", "c"):
        bodies.put(name, body(10))
    assert bodies.get("a") == body(10)
    bodies.put("d", body(10))
    assert [name for name in "abcd" if bodies.get(name)] == ["a", "c", "d"]


def test_what_is_put_again_is_counted_once() -> None:
    bodies = Bodies(max_bytes=2 * (OVERHEAD + 10))
    bodies.put("a", body(10))
    for _ in range(10):
        bodies.put("b", body(10))
    assert bodies.get("a")


def test_what_is_larger_than_all_of_it_is_not_kept() -> None:
    bodies = Bodies(max_bytes=10 * OVERHEAD)
    bodies.put("a", body(10))
    bodies.put("b", body(10 * OVERHEAD))
    assert not bodies.get("b")


def test_many_small_ones_are_bounded_too() -> None:
    bodies = Bodies(max_bytes=100 * OVERHEAD)
    for number in range(1000):
        bodies.put(str(number), body(0))
    assert sum(bodies.get(str(number)) is not None for number in range(1000)) == 100
