"""The FIWARE IdM (Keyrock) as an identity provider: validating its tokens.

Source: Keyrock's API documentation, and the observed behaviour of Keyrock 8.3.
"""

from collections.abc import Iterator
from urllib.parse import quote, urlencode

from django.conf import settings

from identity.documents import Document, is_unicode, names, objects, shown, text
from identity.exchange import Answer
from identity.principals import TokenUser
from identity.providers import Provider, refused
from identity.roles import Role

# The federation names the organization that owns a node after the node, with this suffix.
ORGANIZATION_SUFFIX = " FIDASH"


class Keyrock(Provider):
    """The IdM at `KEYROCK_URL`, for the applications in `KEYROCK_APP_IDS`."""

    name = "keyrock"
    title = "FIWARE IdM"

    def is_configured(self) -> bool:
        """Say whether `KEYROCK_URL` is set."""
        return bool(settings.KEYROCK_URL)

    def recognises(self, token: str) -> bool:
        """Return False: Keyrock's tokens have no distinctive form."""
        return False

    def configuration(self) -> str:
        """Return its URL and the applications whose tokens it accepts."""
        return "\n".join([settings.KEYROCK_URL, *sorted(settings.KEYROCK_APP_IDS)])

    def seconds_to_remember(self) -> int:
        """Return `KEYROCK_CACHE_SECONDS`. Keyrock does not say when a token expires."""
        return int(settings.KEYROCK_CACHE_SECONDS)

    def identify(self, token: str) -> TokenUser:
        """Return the user whom the response to `GET /user` describes.

        Raises: AuthenticationFailed for 4xx, and for the token of a machine or of another application;
        ServiceUnavailable for a response that is not Keyrock's.
        """
        document = self._judge(self.fetch(_url(token)))
        if settings.KEYROCK_APP_IDS and document.get("app_id") not in settings.KEYROCK_APP_IDS:
            raise refused()
        if not text(document, "id").strip():
            raise refused()
        return user_of(document)

    def _judge(self, answer: Answer) -> Document:
        if 400 <= answer.status < 500:
            raise refused()
        if answer.status != 200:
            raise self.unavailable(f"status {answer.status}")
        # Keyrock answers an unknown path with 200 and a page of its web interface.
        if answer.content_type.strip().lower().startswith("text/html"):
            raise self.unavailable("200 with text/html, as for a wrong KEYROCK_URL")
        if (document := answer.document) is None:
            raise self.unavailable("200 with a body that is not a JSON object")
        return document


def user_of(document: Document) -> TokenUser:
    """Return the user whom Keyrock's response to `GET /user` describes; it must have an id.

    Roles and organizations without the documented shape grant nothing.
    """
    owned_nodes = frozenset(_owned_nodes(document))
    roles = set(_granted_roles(document)) & {Role.INFRASTRUCTURE_MANAGER.value}
    if owned_nodes:
        roles.add(Role.INFRASTRUCTURE_OWNER.value)
    return TokenUser(
        provider=Keyrock.name,
        id=text(document, "id"),
        username=shown(text(document, "username")),
        email=text(document, "email"),
        roles=frozenset(roles),
        owned_nodes=owned_nodes,
        grants=tuple(shown(grant) for grant in _grants(document)),
    )


def _url(token: str) -> str:
    parameters = {"access_token": token}
    if len(settings.KEYROCK_APP_IDS) == 1:
        parameters["app_id"] = settings.KEYROCK_APP_IDS[0]
    return f"{settings.KEYROCK_URL.rstrip('/')}/user?{urlencode(parameters, quote_via=quote, safe='')}"


def _granted_roles(document: Document) -> Iterator[str]:
    """Yield the names of all roles, the user's own and those in each organization, which are listed only there."""
    yield from names(document, "roles")
    for organization in objects(document, "organizations"):
        yield from names(organization, "roles")


def _owned_nodes(document: Document) -> Iterator[str]:
    for organization in objects(document, "organizations"):
        node = text(organization, "name").removesuffix(ORGANIZATION_SUFFIX)
        if node and is_unicode(node) and Role.INFRASTRUCTURE_OWNER in names(organization, "roles"):
            yield node


def _grants(document: Document) -> Iterator[str]:
    yield from names(document, "roles")
    for organization in objects(document, "organizations"):
        for role in names(organization, "roles"):
            yield f"{role} in {text(organization, 'name')}"
