"""How fast the pages are."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.databases import database
from benchmarks.report import Row, compared
from benchmarks.servers import answering

FLAVORS, NODES = 100, 50


def measure_map(server: str | None, folder: Path, environment: Mapping[str, str], *, rounds: int) -> Row:
    """Measure the whole answer with the coverage map against its own queries, sent by themselves.

    Raises:
        RuntimeError: it does not answer, or not with all cells; its log says why.
    """
    with database(server, folder, flavors=FLAVORS, nodes=NODES) as url:
        settings = {**environment, "DATABASE_URL": url}
        with answering("benchmarks.run_map", environment=settings, log=folder / "map.log") as ask:
            times: tuple[list[float], list[float]] = ([], [])
            for _ in range(rounds):
                page, queries, cells = ask() or ("", "", "0")
                if int(cells) != FLAVORS * NODES:
                    raise RuntimeError(f"The map has {cells} cells: {(folder / 'map.log').read_text()[-2000:]}")
                times[0].append(float(page) * 1000)
                times[1].append(float(queries) * 1000)
    return compared(f"coverage map, {FLAVORS} x {NODES}: its own queries", *times, unit="ms", at_most=2)
