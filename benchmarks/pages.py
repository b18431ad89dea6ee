"""How fast the pages are."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.databases import database
from benchmarks.report import Row, compared
from benchmarks.servers import answering

FLAVORS, NODES = 100, 50
# Within which an answer seems to come at once. Source: J. Nielsen, "Response Times: The 3 Important Limits".
MILLISECONDS = 100.0


def measure_map(server: str | None, folder: Path, environment: Mapping[str, str], *, rounds: int) -> Row:
    """Measure the whole answer with the coverage map: its floor is the time within which nobody waits.

    Raises:
        RuntimeError: it does not answer, or lacks cells; its log says why.
    """
    with database(server, folder, flavors=FLAVORS, nodes=NODES) as url:
        settings = {**environment, "DATABASE_URL": url}
        with answering("benchmarks.run_map", environment=settings, log=folder / "map.log") as ask:
            times: list[float] = []
            for _ in range(rounds):
                page, cells = ask() or ("", "0")
                if int(cells) != FLAVORS * NODES:
                    raise RuntimeError(f"The map has {cells} cells: {(folder / 'map.log').read_text()[-2000:]}")
                times.append(float(page) * 1000)
    at_once = [MILLISECONDS] * rounds
    return compared(f"coverage map, {FLAVORS} x {NODES}: at once", times, at_once, unit="ms", at_most=1)
