"""How fast the OpenStack face is: that of the federation against `/v1`, that of a node against its Nova."""

import json
from dataclasses import replace

from benchmarks.clouds import FLAVORS, MICROVERSION, PATH, direct
from benchmarks.load import Client, Request
from benchmarks.reading import BASIC, Contest, answer, in_turn, processor_in_turn
from benchmarks.report import Row, compared
from benchmarks.servers import Server
from lab import Lab

LIST = "/compute/v2.1/flavors/detail"
NODE = "Spain2"


def measure_federation(contest: Contest, *, rounds: int, seconds: float) -> list[Row]:
    """Measure the whole list of the federation's face against the one under `/v1`, on the clock and the processor."""
    listing = contest.request(LIST, **MICROVERSION)
    whole = replace(listing, body=answer(listing).body)
    contenders = {"face": (whole, contest.ours), "v1": (contest.listing, contest.ours)}
    found = in_turn(contenders, rounds=rounds, seconds=seconds)
    times = {name: [1e6 / rate for rate in rates] for name, rates in found.items()}
    busy = processor_in_turn(contenders, rounds=rounds, seconds=seconds)
    return [
        compared("OpenStack face, list of 1,000: under /v1", times["face"], times["v1"], unit="us each", at_most=1),
        compared("the same, our processor's time", busy["face"], busy["v1"], unit="us each", at_most=1),
    ]


def measure_node(lab: Lab, ours: Server, *, rounds: int) -> Row:
    """Measure the list of a node's face against the same call to its Nova."""
    through = Request(ours.url(f"/compute/nodes/{NODE}/v2.1{PATH}"), {**BASIC, **MICROVERSION})
    by_hand = direct(lab, NODE)
    for _ in range(20):  # both workers and their threads
        if len(json.loads(answer(through).body)["flavors"]) != FLAVORS:
            raise AssertionError("the node does not have the flavors that it should have")
    clients = Client.to(through), Client.to(by_hand)
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for client, request, series in zip(clients, (through, by_hand), times, strict=True):
            series.append(client.seconds(request) * 1000)
    for client in clients:
        client.close()
    return compared(f"OpenStack face of a node, {FLAVORS} flavors: Nova itself", *times, unit="ms", at_most=1.3)
