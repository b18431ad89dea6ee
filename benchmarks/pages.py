"""How fast the staff's pages are."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.databases import database
from benchmarks.report import Row, compared
from benchmarks.servers import answering

FLAVORS, NODES, MANY_NODES = 100, 50, 1_000
# The cells of the overview: a row for each day of its chart, and one of three for each size of the promoted flavors
OVERVIEW = 30 + 3 * 64
MAP = "admin:flavors_flavor_coverage"
# Within which an answer seems to come at once. Source: J. Nielsen, "Response Times: The 3 Important Limits".
AT_ONCE = 100.0
# The pages of a whole large federation: their cells, and within how many milliseconds they should be there
OF_MANY_NODES = (("overview", "overview", OVERVIEW, 150.0), (MAP, "coverage map's first page", FLAVORS * NODES, 500.0))


def measure_map(server: str | None, folder: Path, environment: Mapping[str, str], *, rounds: int) -> Row:
    """Measure the whole answer with the coverage map: its floor is the time within which nobody waits.

    Raises:
        RuntimeError: it does not answer, or lacks cells; its log says why.
    """
    with database(server, folder, flavors=FLAVORS, nodes=NODES) as url:
        times = _milliseconds(MAP, url, folder, environment, rounds=rounds, cells=FLAVORS * NODES)
    work = f"coverage map, {FLAVORS} x {NODES}: at once"
    return compared(work, times, [AT_ONCE] * rounds, unit="ms", at_most=1)


def measure_many_nodes(server: str | None, folder: Path, environment: Mapping[str, str], *, rounds: int) -> list[Row]:
    """Measure the overview of many nodes, and the map's first page of them.

    Raises:
        RuntimeError: as `measure_map`.
    """
    rows = []
    with database(server, folder, flavors=FLAVORS, nodes=MANY_NODES) as url:
        for route, title, cells, bound in OF_MANY_NODES:
            times = _milliseconds(route, url, folder, environment, rounds=rounds, cells=cells)
            work = f"{title}, {FLAVORS} x {MANY_NODES:,}: within {bound:g} ms"
            rows.append(compared(work, times, [bound] * rounds, unit="ms", at_most=1))
    return rows


def _milliseconds(
    route: str, url: str, folder: Path, environment: Mapping[str, str], *, rounds: int, cells: int
) -> list[float]:
    log = folder / "page.log"
    times: list[float] = []
    with answering("benchmarks.run_page", route, environment={**environment, "DATABASE_URL": url}, log=log) as ask:
        for _ in range(rounds):
            seconds, found = ask() or ("0", "-1")
            if int(found) != cells:
                raise RuntimeError(f"{route} has {found} cells: {log.read_text()[-2000:]}")
            times.append(float(seconds) * 1000)
    return times
