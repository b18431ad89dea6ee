"""The benchmarks: `scripts/bench`."""

import argparse
import os
import secrets
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from cryptography.fernet import Fernet

from benchmarks import clouds, databases, faces, farming, microversions, pages, reading, report, scs, synchronising
from benchmarks.load import Request
from lab import Lab

MARIADB = "mysql://root@127.0.0.1:3306"


def main() -> int:
    """Measure everything and print the results; return 1 if a target is missed."""
    arguments = _arguments()
    began = time.monotonic()
    server = None if arguments.sqlite or not databases.answers(arguments.mariadb) else arguments.mariadb
    with tempfile.TemporaryDirectory(prefix="flavorsync-benchmark-") as folder:
        measured = measure_scs if arguments.flavor_manager else arguments.measured
        rows = measured(server, Path(folder), Lab(arguments.lab), arguments)
    kind = "MariaDB" if server else "SQLite"
    seconds = round(time.monotonic() - began)
    print(f"\n{report.table(rows)}\n\n{kind}, {os.cpu_count()} CPUs, {seconds} s; the figures are in {arguments.json}")
    report.write(arguments.json, rows, database=kind, cpus=os.cpu_count(), seconds=seconds)
    return 0 if all(row.met for row in rows) else 1


def measure(server: str | None, folder: Path, lab: Lab, arguments: argparse.Namespace) -> list[report.Row]:
    """Measure everything, and return the results."""
    rounds, seconds = arguments.rounds, arguments.seconds
    rows: list[report.Row] = []

    with ExitStack() as stack:
        say("Bringing the lab up")
        lab.up()
        stack.enter_context(clouds.clouds(lab))
        environment = _environment(lab)
        say("Making three catalogues: 20 and 1,000 flavors in 20 nodes, and 100,000 in one")
        small, large = (
            stack.enter_context(reading.contest(server, folder, environment, flavors=flavors, nodes=20))
            for flavors in (20, 1_000)
        )
        huge = stack.enter_context(reading.catalogue(server, folder, environment, flavors=100_000, nodes=1))
        clouds.register(lab, small.ours)
        say("The first list after a change")
        rows.append(reading.measure_change(large, rounds=rounds * 4))
        say("Warm lists")
        rows += reading.measure_lists(large, small, rounds=rounds, seconds=seconds)
        say("The OpenStack face of the federation")
        rows += faces.measure_federation(large, rounds=rounds, seconds=seconds)
        say("A local account")
        rows.append(reading.measure_account(large, rounds=rounds, seconds=seconds))
        say("The coverage map")
        rows.append(pages.measure_map(server, folder, environment, rounds=rounds * 12))
        say("The pages of 1,000 nodes")
        rows += pages.measure_many_nodes(server, folder, environment, rounds=rounds * 4)
        say("Pages")
        rows += reading.measure_pages({1_000: (large.database, large.ours), 100_000: huge}, rounds=rounds * 4)
        say("A region's flavors, and private ones")
        rows += clouds.measure_region(lab, small.ours, rounds=rounds * 8)
        rows.append(clouds.measure_private(lab, small.ours, rounds=rounds * 4))
        rows.append(faces.measure_node(lab, small.ours, rounds=rounds * 8))
        say("Synchronisation")
        url, ours = stack.enter_context(reading.catalogue(server, folder, environment, flavors=100, nodes=0))
        clouds.register(lab, ours)
        settings = {**environment, "DATABASE_URL": url}
        rows += synchronising.measure(lab, settings, folder / "synchronising.log", rounds=rounds)
        say("Memory")
        rows += reading.measure_memory(large, _mixed(large), times=arguments.requests)
    return rows + measure_farm(server, folder, lab, arguments)


def measure_faces(server: str | None, folder: Path, lab: Lab, arguments: argparse.Namespace) -> list[report.Row]:
    """Measure the OpenStack face alone, and return the results."""
    say("The OpenStack face of the federation, and of a node")
    lab.up()
    with clouds.clouds(lab), reading.contest(server, folder, _environment(lab), flavors=1_000, nodes=20) as contest:
        clouds.register(lab, contest.ours)
        return [
            *faces.measure_federation(contest, rounds=arguments.rounds, seconds=arguments.seconds),
            faces.measure_node(lab, contest.ours, rounds=arguments.rounds * 8),
        ]


def measure_farm(server: str | None, folder: Path, lab: Lab, arguments: argparse.Namespace) -> list[report.Row]:
    """Measure runs over a farm of simulated clouds, and return the results."""
    return farming.measure(server, folder, _environment(), rounds=arguments.rounds, say=say)


def measure_microversions(
    server: str | None, folder: Path, lab: Lab, arguments: argparse.Namespace
) -> list[report.Row]:
    """Measure Nova's calls about flavors alone, by hand, and return the results."""
    lab.up()
    say("Nova's calls about flavors, at several microversions")
    with clouds.clouds(lab):
        return microversions.measure(lab, rounds=arguments.rounds * 8)


def measure_scs(server: str | None, folder: Path, lab: Lab, arguments: argparse.Namespace) -> list[report.Row]:
    """Measure the standard flavors into a real cloud alone, and return the results."""
    lab.up()
    say("The standard flavors into a cloud, and nothing to do")
    program, rounds = arguments.flavor_manager, arguments.rounds
    return scs.measure(server, folder, lab, _environment(lab), manager=program, rounds=rounds)


def say(text: str) -> None:
    """Tell how far the benchmarks are."""
    print(f"==> {text}", file=sys.stderr, flush=True)


def _mixed(contest: reading.Contest) -> list[Request]:
    """Return requests of all kinds, for different pages, right and wrong ones."""
    pages = [contest.request(f"{reading.LIST}?limit={limit}") for limit in range(1, 200, 7)]
    filters = [
        Request(contest.ours.url(f"/v1/flavors?{query}")) for query in ("promoted=true", "node=Node07", "public=1")
    ]
    one = "00000000-0000-4000-8000-000000000007"
    return [
        *pages,
        *filters,
        contest.listing,
        contest.request(**reading.XML),
        Request(contest.ours.url(reading.LIST), reading.BASIC),
        Request(contest.ours.url("/v1/flavors"), reading.XML),
        *(contest.request(f"{reading.LIST}/{one}") for _ in range(20)),
        *(contest.request("/v1/regions") for _ in range(10)),
        Request(contest.ours.url(reading.LIST), {"X-Auth-Token": "lab-token-expired"}, status=401),
        Request(contest.ours.url("/v1/nothing"), status=404),
        Request(contest.ours.url("/v1")),
    ]


def _environment(lab: Lab | None = None) -> dict[str, str]:
    """Return the settings of a service in production, with the clouds of a lab that is up, or with none."""
    return {
        "ENV_FILE": os.devnull,
        "DJANGO_SETTINGS_MODULE": "flavorsync_project.settings",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        **{
            name: value
            for name, value in (lab.environment() if lab else {}).items()
            if name in {"KEYROCK_URL", "KEYROCK_APP_IDS", "KEYSTONE_URL", "INFRASTRUCTURE_URL_ALLOWLIST"}
        },
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "--mariadb", default=MARIADB, metavar="URL", help="the MariaDB to use, else SQLite (%(default)s)"
    )
    parser.add_argument("--sqlite", action="store_true", help="use SQLite even if there is a MariaDB")
    parser.set_defaults(measured=measure)
    for option, measured, what in (
        ("--farm", measure_farm, "the runs over simulated clouds, without the lab"),
        ("--faces", measure_faces, "the OpenStack face"),
        ("--microversions", measure_microversions, "Nova's calls about flavors, at several microversions"),
    ):
        parser.add_argument(option, action="store_const", dest="measured", const=measured, help=f"only {what}")
    parser.add_argument(
        "--flavor-manager",
        metavar="PROGRAM",
        help="only the standard flavors of SCS, against OSISM's openstack-flavor-manager, installed anywhere",
    )
    parser.add_argument("--rounds", type=int, default=5, help="how many turns each contender has (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.7, help="how long a turn takes (%(default)s)")
    parser.add_argument(
        "--requests",
        type=int,
        default=20_000,
        help="requests before the memory is measured (%(default)s)",
    )
    parser.add_argument(
        "--json", type=Path, default=Path("benchmark.json"), help="the file for the figures (%(default)s)"
    )
    parser.add_argument("--lab", default=os.environ.get("FLAVORSYNC_LAB", "default"), help="which lab (%(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
