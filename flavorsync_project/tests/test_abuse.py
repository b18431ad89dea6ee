"""Thousands of requests made from the OpenAPI document, right and wrong ones, by everybody, in JSON and in XML.

None may break the service, and no answer may be one that the document does not have. The requests are
the same at every run; FLAVORSYNC_ABUSE_SEED makes others, FLAVORSYNC_ABUSE_EXAMPLES more of them.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

import jsonschema
import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as examples
from requests.structures import CaseInsensitiveDict
from rest_framework.exceptions import ParseError
from rest_framework.test import APIClient
from schemathesis.core.failures import FailureGroup
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from flavorsync_project.api.parsers import XMLParser
from flavorsync_project.tests import world as there_is
from flavorsync_project.tests.world import ACTORS, KEYSTONE_TOKENS, World
from flavorsync_project.wsgi import application
from testing.federation import WIRES
from testing.wire import Wire, read_answer

pytestmark = pytest.mark.timeout(900)

SEED = int(os.environ.get("FLAVORSYNC_ABUSE_SEED", "1"))
EXAMPLES = int(os.environ.get("FLAVORSYNC_ABUSE_EXAMPLES", "6"))
"""Random requests of each kind (right, wrong) for each operation and actor."""
SHARE = 4
"""Every how manieth of the systematic requests (each limit of each member, say) an actor sends."""
WHO = ("anonymous", "basic", "owner", "operator", "manager")
EACH = [
    pytest.param("operator", 20, id="operator-few"),
    *(pytest.param(actor, 1, id=f"{actor}-many", marks=pytest.mark.thorough) for actor in WHO),
]
"""Who, and how many times fewer requests there are, for a look at each operation that takes no time."""
MIN_REQUESTS = 500
"""From each of them, of the many: 2,500 in all."""

# What there is, by the parameter that names it.
RUN_IDS = [there_is.OWN_RUN, there_is.SHARED_RUN, there_is.FOREIGN_RUN]
KNOWN: Mapping[str, list[str]] = {
    "id": [
        there_is.PRIVATE,
        there_is.PUBLIC,
        there_is.INSTALLED,
        there_is.PROMOTED,
        there_is.FOREIGN_PRIVATE,
        there_is.FOREIGN_PUBLIC,
    ],
    "name": [there_is.OWN, there_is.FOREIGN],
    "region": [there_is.OWN],
}

# Parameters that take less than any text.
CAN_BE_WRONG = {"limit", "promoted", "public"}

# Why a request that the document allows may be refused with 400 all the same: what JSON Schema
# cannot say, and what depends on what there is.
BEYOND_THE_SCHEMA = re.compile(
    r"(?:^|; )(?:(?:name|nodes\[\d+\]): must not (?:hold the character U\+|begin or end with a space)"
    r"|Marker .* could not be found"
    r"|promoted: a flavor "
    r"|nodes: is required: you operate"
    r"|(?:keystone_url|nova_url|name|region|tenant|username|password|user_domain|project_domain): )",
    re.DOTALL,
)


@pytest.fixture(scope="session")
def document() -> Any:
    return yaml.safe_load(APIClient().get("/v1/schema").content)


@pytest.mark.parametrize(("actor", "fewer"), EACH)
def test_no_request_breaks_the_service_or_the_document(
    world: World, document: Any, actor: str, fewer: int, capsys: pytest.CaptureFixture[str]
) -> None:
    abuse = Abuse(world, document, actor, fewer)
    abuse.everything()
    with capsys.disabled():
        print(f"\n{actor}: {abuse.requests} requests, seed {SEED}: {dict(sorted(abuse.statuses.items()))}")  # noqa: T201
    assert not abuse.failures, f"Seed {SEED}\n\n" + "\n\n".join(abuse.failures.values())
    assert abuse.requests >= MIN_REQUESTS / fewer
    assert not {status for status in abuse.statuses if status >= 500}


class Abuse:
    """What one actor does to every operation, and what went wrong."""

    def __init__(self, world: World, document: Any, actor: str, fewer: int) -> None:
        self.world = world
        self.document = document
        self.components = _with_null(document["components"])
        self.actor = actor
        self.examples = max(1, EXAMPLES // fewer)
        self.share = SHARE * fewer
        self.schema = schemathesis.openapi.from_dict(document)
        self.schema.app = application
        self.schema.config.generation.update(with_security_parameters=False)
        self.requests = 0
        self.statuses: Counter[int] = Counter()
        self.failures: dict[tuple[str, str], str] = {}

    def everything(self) -> None:
        """Send everything to every operation."""
        for result in self.schema.get_all_operations():
            operation = result.ok()  # type: ignore[union-attr]  # an error in the document ends it here
            self.send_at_random(operation, GenerationMode.POSITIVE)
            if operation.body or set(_names(operation)) & CAN_BE_WRONG:
                self.send_at_random(operation, GenerationMode.NEGATIVE)
            for case in self.systematic(operation):
                self.send(case)

    def send_at_random(self, operation: Any, mode: GenerationMode) -> None:
        """Send requests that are drawn by chance."""

        @seed(SEED)
        @examples(
            max_examples=self.examples,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(generation_mode=mode))
        def send(case: Any) -> None:
            self.send(case)

        send()

    def systematic(self, operation: Any) -> Iterator[Any]:
        """Yield this actor's share of the requests that are about one thing each."""
        cases = self.schema.iter_coverage_cases(
            operation, generation_modes=list(GenerationMode), generation_config=self.schema.config.generation
        )
        for index, case in enumerate(cases, start=WHO.index(self.actor)):
            if index % self.share == 0:
                yield case

    def send(self, case: Any) -> None:
        """Send one request and note what is wrong with its answer; two of three requests are about existing things."""
        self.requests += 1
        wire = list(WIRES.values())[self.requests % len(WIRES)]
        headers = {**ACTORS[self.actor], "Accept": wire.media_type}
        if self.requests % 3:
            _aim(case, self.requests)
        with self.world.fresh():
            response = case.call(headers=headers)
            self.statuses[response.status_code] += 1
            try:
                excluded = [
                    positive_data_acceptance,
                    *([negative_data_rejection] if self.is_right(case, response) else []),
                ]
                case.validate_response(response, headers=headers, excluded_checks=excluded)
                self.look_at(case, response, wire)
            except (FailureGroup, AssertionError, jsonschema.ValidationError) as failure:
                self.note(case, response, failure)

    def is_right(self, case: Any, response: Any) -> bool:
        """Say whether a body that should be wrong is not: in XML a number is as good a name as any."""
        if case.media_type not in ("application/xml", "text/xml") or case.meta.generation.mode.is_positive:
            return False
        try:
            body = XMLParser().parse(BytesIO(response.request.body))
            self.validate(body, case.operation.definition.raw["requestBody"]["content"]["application/json"]["schema"])
        except (ParseError, jsonschema.ValidationError):
            return False
        return True

    def look_at(self, case: Any, response: Any, wire: Wire) -> None:
        """Check what schemathesis does not: XML against the document, and why a right request is refused."""
        if case.method.lower() not in self.document["paths"][case.operation.path]:
            return
        headers = CaseInsensitiveDict({name: ", ".join(values) for name, values in response.headers.items()})
        answer = read_answer(wire, response.status_code, headers, response.content)
        if isinstance(answer.body, dict):
            described = case.operation.definition.raw["responses"][str(answer.status)]
            self.validate(answer.body, described["content"]["application/json"]["schema"])
        if case.meta.generation.mode.is_positive:
            assert answer.status != 400 or BEYOND_THE_SCHEMA.search(answer.message), "a right request was refused"
            assert answer.status not in {411, 413, 415}

    def validate(self, body: Any, schema: Any) -> None:
        """Check a body, whichever its format was, against its schema in JSON."""
        jsonschema.Draft4Validator({**schema, "components": self.components}).validate(body)

    def note(self, case: Any, response: Any, failure: BaseException) -> None:
        """Remember the first failure of each kind of each operation, with the request that shows it."""
        kinds: Sequence[BaseException] = failure.exceptions if isinstance(failure, FailureGroup) else [failure]
        for kind in kinds:
            self.failures.setdefault(
                (case.operation.label, type(kind).__name__),
                f"{case.operation.label} by {self.actor}: {kind}\n{case.as_curl_command()}\n"
                f"{response.status_code} {response.text[:300]}",
            )


def _with_null(schema: Any) -> Any:
    """Return schemas of OpenAPI 3.0 as JSON Schema has them, which knows no `nullable`."""
    if isinstance(schema, list):
        return [_with_null(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    converted = {name: _with_null(value) for name, value in schema.items()}
    return {"anyOf": [converted, {"type": "null"}]} if schema.get("nullable") is True else converted


def _names(operation: Any) -> Iterator[str]:
    return (parameter.name for parameter in operation.iter_parameters())


def _aim(case: Any, number: int) -> None:
    """Make a request be about something that exists, apart from what is wrong with it on purpose."""
    wrong = getattr(case.meta.phase.data, "parameter_location", None)
    if wrong is not ParameterLocation.PATH:
        for name in case.path_parameters or ():
            known = RUN_IDS if "/runs/" in case.operation.path else KNOWN[name]
            case.path_parameters[name] = known[number % len(known)]
    if wrong is not ParameterLocation.HEADER and "X-Auth-Token-KeyStone" in (case.headers or ()):
        case.headers.update(KEYSTONE_TOKENS["admin"])
