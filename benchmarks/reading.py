"""How fast the catalogue is read."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from benchmarks.data import ACCOUNT
from benchmarks.databases import database, execute
from benchmarks.floors import connect
from benchmarks.load import Answer, Client, Request, per_second, side_by_side
from benchmarks.report import Row, compared
from benchmarks.servers import Server, serve

LIST = "/v1/promotedflavors"
PAGE = 100
TOKEN = {"X-Auth-Token": "lab-token-basic"}
BASIC = {"Authorization": "Basic " + b64encode(":".join(ACCOUNT).encode()).decode()}
XML = {"Accept": "application/xml"}


@dataclass(frozen=True)
class Contest:
    """Flavor Sync and the floors over one database."""

    database: str
    ours: Server
    floor: Server
    json: bytes
    xml: bytes

    def request(self, path: str = LIST, **headers: str) -> Request:
        """Return a request to Flavor Sync with a token of the IdM."""
        return Request(self.ours.url(path), {**TOKEN, **headers})

    @property
    def listing(self) -> Request:
        """Return the request for the whole list, whose body is known."""
        return replace(self.request(), body=self.json)

    def at_floor(self, path: str, body: bytes | None) -> Request:
        """Return a request to a floor."""
        return Request(self.floor.url(path), body=body)


@contextmanager
def catalogue(
    server: str | None, folder: Path, environment: Mapping[str, str], *, flavors: int, nodes: int
) -> Iterator[tuple[str, Server]]:
    """Make a catalogue that Flavor Sync serves; yield the database's URL and the server."""
    with database(server, folder, flavors=flavors, nodes=nodes) as url:
        settings = {**environment, "DATABASE_URL": url}
        with serve("flavorsync_project.wsgi", environment=settings, log=folder / f"served-{flavors}.log") as ours:
            yield url, ours


@contextmanager
def contest(
    server: str | None, folder: Path, environment: Mapping[str, str], *, flavors: int, nodes: int
) -> Iterator[Contest]:
    """Serve a catalogue with Flavor Sync and with the floors.

    Raises:
        WrongAnswerError: the floors do not answer the same as Flavor Sync.
    """
    with catalogue(server, folder, environment, flavors=flavors, nodes=nodes) as (url, ours):
        json, xml = (answer(Request(ours.url(LIST), {**TOKEN, **accept})).body for accept in ({}, XML))
        bodies = folder / f"bodies-{flavors}"
        bodies.mkdir()
        (bodies / "json").write_bytes(json)
        (bodies / "xml").write_bytes(xml)
        settings = {**environment, "DATABASE_URL": url, "FLOOR_BODIES": str(bodies)}
        with serve("benchmarks.floors", environment=settings, log=folder / f"floors-{flavors}.log") as floor:
            answer(Request(floor.url("/sql"), body=json))
            yield Contest(url, ours, floor, json, xml)


def answer(request: Request) -> Answer:
    """Send one request over its own connection."""
    client = Client.to(request)
    try:
        return client.send(request)
    finally:
        client.close()


def in_turn(contenders: Mapping[str, tuple[Request, Server]], *, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Return the requests a second of each contender, measured in turn, round after round."""
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    for request, server in contenders.values():
        per_second(request, server.workers, seconds / 2)  # to warm up
    for _ in range(rounds):
        for name, (request, server) in contenders.items():
            measured[name].append(per_second(request, server.workers, seconds))
    return measured


def processor_in_turn(
    contenders: Mapping[str, tuple[Request, Server]], *, rounds: int, seconds: float
) -> dict[str, list[float]]:
    """Return the microseconds of processor time that a server takes for each request, measured as by `in_turn`."""
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, (request, server) in contenders.items():
            before = server.processor()
            answered = per_second(request, server.workers, seconds) * seconds
            measured[name].append((server.processor() - before) / answered * 1e6)
    return measured


def measure_lists(large: Contest, small: Contest, *, rounds: int, seconds: float) -> list[Row]:
    """Measure warm lists: JSON, XML, and unchanged ones."""
    etag = answer(large.listing).headers.get("etag")
    unchanged = replace(large.request(**{"If-None-Match": str(etag)}), status=304, body=b"")
    contenders = {
        "list": (large.listing, large.ours),
        "xml": (replace(large.request(**XML), body=large.xml), large.ours),
        "sql": (large.at_floor("/sql", large.json), large.floor),
        "memory": (large.at_floor("/memory/json", large.json), large.floor),
        "memory, xml": (large.at_floor("/memory/xml", large.xml), large.floor),
        "small": (small.listing, small.ours),
        "small, sql": (small.at_floor("/sql", small.json), small.floor),
        "small, memory": (small.at_floor("/memory/json", small.json), small.floor),
    } | ({"unchanged": (unchanged, large.ours)} if etag else {})
    found = in_turn(contenders, rounds=rounds, seconds=seconds)

    def row(work: str, ours: str, floor: str, at_least: float) -> Row:
        return compared(work, found[ours], found[floor], unit="/s", at_least=at_least)

    return [
        row("list, 1,000 x 20: two SQL queries", "list", "sql", 5),
        row("list, 1,000 x 20: from memory", "list", "memory", 0.3),
        row("list, 20 x 20: two SQL queries", "small", "small, sql", 0.5),
        *([row("list, 1,000 x 20, If-None-Match: from memory", "unchanged", "memory", 0.5)] if etag else []),
        row("list, 1,000 x 20, XML: two SQL queries (JSON)", "xml", "sql", 5),
        row("list, 1,000 x 20, XML: from memory", "xml", "memory, xml", 0.3),
    ]


def measure_change(contest: Contest, *, rounds: int) -> Row:
    """Measure the first request after a change, which must show it."""
    connection = connect(contest.database)
    ours, floor = Client.to(contest.listing), Client.to(contest.at_floor("/sql", None))
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        execute(connection, f"UPDATE flavors_flavor SET ram = {2000 + number} WHERE name = 'fiware.flavor.000500'")  # noqa: S608
        expected = contest.json.replace(*_change(contest.json, 2000 + number))
        for client, request, series in (
            (ours, replace(contest.request(), body=expected), times[0]),
            (floor, contest.at_floor("/sql", expected), times[1]),
        ):
            series.append(client.seconds(request) * 1000)
    execute(connection, "UPDATE flavors_flavor SET ram = 1024 WHERE name = 'fiware.flavor.000500'")
    connection.close()
    ours.close()
    floor.close()
    return compared("first list after a change: two SQL queries", *times, unit="ms", at_most=2)


def _change(body: bytes, ram: int) -> tuple[bytes, bytes]:
    """Return the changed flavor's part of the list, before and after."""
    start = body.index(b'"fiware.flavor.000500"')
    old = body[start : body.index(b'"disk"', start)]
    return old, old.replace(b'"ram":1024', b'"ram":%d' % ram)


def measure_account(contest: Contest, *, rounds: int, seconds: float) -> Row:
    """Measure a local account compared with a token, when both are known already."""
    by_account = Request(contest.ours.url(LIST), BASIC, body=contest.json)
    found = in_turn(
        {"account": (by_account, contest.ours), "token": (contest.listing, contest.ours)},
        rounds=rounds,
        seconds=seconds,
    )
    times = {name: [1e6 / rate for rate in rates] for name, rates in found.items()}
    return compared("local account: token", times["account"], times["token"], unit="us each", at_most=1.15)


def measure_pages(catalogues: Mapping[int, tuple[str, Server]], *, rounds: int) -> list[Row]:
    """Measure pages at the beginning, middle and end of a long list, compared with one of a short list."""
    huge, large = sorted(catalogues, reverse=True)
    rows = []
    for place, share in (("first", 0.0), ("middle", 0.5), ("last", 1.0)):
        requests = [_page(catalogues[flavors][1], flavors, share) for flavors in (huge, large)]
        clients = [Client.to(request) for request in requests]
        times: list[list[float]] = [[], []]
        for _ in range(rounds):
            for flavors, client, request, series in zip((huge, large), clients, requests, times, strict=True):
                _touch(catalogues[flavors][0])
                series.append(client.seconds(request) * 1000)
        for client in clients:
            client.close()
        work = f"{place} page of {PAGE}, of {huge:,} flavors: of {large:,}"
        rows.append(compared(work, *times, unit="ms", at_most=2))
    return rows


def _page(server: Server, flavors: int, share: float) -> Request:
    before = int((flavors - PAGE) * share)
    marker = f"&marker={quote(f'00000000-0000-4000-8000-{before - 1:012}')}" if before else ""
    request = Request(server.url(f"{LIST}?limit={PAGE}{marker}"), TOKEN)
    if answer(request).body.count(b'"id":') != PAGE:
        raise AssertionError(f"{request.url} is not a page of {PAGE}")
    return request


def _touch(url: str) -> None:
    """Change the catalogue, so that nothing remembered about it is valid."""
    connection = connect(url)
    execute(connection, "UPDATE flavors_flavor SET swap = 1 - swap WHERE name = 'fiware.flavor.000007'")
    connection.close()


def measure_memory(contest: Contest, requests: list[Request], *, times: int) -> tuple[Row, Row]:
    """Measure a worker's memory half-way through so many requests of all kinds, and after them."""
    halves = []
    for _ in range(2):
        clients = 4
        share = times // 2 // clients

        def job(share: int = share) -> int:
            client = Client.to(requests[0])
            for number in range(share):
                client.seconds(requests[number % len(requests)])
            client.close()
            return share

        side_by_side([job] * clients)
        halves.append(contest.ours.memory())
    middle, end = halves
    return (
        Row(f"a worker after {times:,} requests", "<= 130 MB", end, 130, "MB", end / 130, end <= 130),
        compared("the same, flat: in the middle", [end], [middle], unit="MB", at_most=1.05),
    )
