"""Sizes as people read them, never rounded: two flavors that differ never look the same."""

UNITS = ("MiB", "GiB", "TiB", "PiB", "EiB")


def readable_mib(size: int) -> str:
    """Return a size in MiB as people read it: 512 MiB, 2 GiB, 1.5 TiB."""
    return _readable(size, UNITS)


def readable_gib(size: int) -> str:
    """Return a size in GiB as people read it: 20 GiB, 1.5 TiB."""
    return _readable(size, UNITS[1:])


def _readable(size: int, units: tuple[str, ...]) -> str:
    """Return *size* in the largest unit that shows it exactly with at most one decimal."""
    if size == 0:
        return "0"
    number, unit = f"{size:,}", units[0]
    for exponent, larger in enumerate(units[1:], start=1):
        tenths, rest = divmod(size * 10, 1024**exponent)
        if rest or tenths < 10:
            break
        whole, tenth = divmod(tenths, 10)
        number, unit = f"{whole:,}.{tenth}" if tenth else f"{whole:,}", larger
    return f"{number} {unit}"
