"""The central Keystone as an identity provider: validating its tokens.

Source: Identity API v3, "Validate and show information for token", and the observed behaviour of Keystone 30.
"""

from datetime import UTC, datetime

from django.conf import settings

from flavorsync_project.api.urls import keystone_v3
from identity import mappings
from identity.documents import Document, names, part, shown, text
from identity.exchange import Answer
from identity.mappings import Scope
from identity.principals import TokenUser
from identity.providers import Provider, refused
from identity.roles import Role

# A Fernet token begins with a version (128) and a time, in base64: until the year 2106 that reads like this.
FERNET = "gAAAA"
WITH_ACCESS_RULES = "it belongs to an application credential with access rules, which would not be enforced here"


class Keystone(Provider):
    """The Keystone at `KEYSTONE_URL`, used as identity provider if `KEYSTONE_IDENTITY` is set."""

    name = "keystone"
    title = "Keystone"

    def is_configured(self) -> bool:
        """Say whether `KEYSTONE_IDENTITY` and `KEYSTONE_URL` are set."""
        return bool(settings.KEYSTONE_IDENTITY and settings.KEYSTONE_URL)

    def recognises(self, token: str) -> bool:
        """Say whether it looks like a Fernet token, which no other provider issues."""
        return token.startswith(FERNET)

    def configuration(self) -> str:
        """Return its URL and the mappings of its roles."""
        return "\n".join(
            [settings.KEYSTONE_URL, *settings.KEYSTONE_MANAGERS, "operators", *settings.KEYSTONE_OPERATORS]
        )

    def seconds_to_remember(self) -> int:
        """Return `KEYSTONE_CACHE_SECONDS`."""
        return int(settings.KEYSTONE_CACHE_SECONDS)

    def identify(self, token: str) -> TokenUser:
        """Return the user whom the response to `GET /v3/auth/tokens` describes; the token itself is the credential.

        `OpenStack-Identity-Access-Rules` is not sent: it would promise to enforce the access rules of an application
        credential. Without it Keystone answers 404 to a token of a credential with access rules.

        Raises: AuthenticationFailed for Keystone's own 400, 401, 403 and 404, and for a token with access rules;
        ServiceUnavailable for a response that is not Keystone's.
        """
        if not (token.isascii() and token.isprintable()) or " " in token:  # no header can contain it, or begin with it
            raise refused()
        answer = self.fetch(
            f"{keystone_v3(settings.KEYSTONE_URL)}/auth/tokens?nocatalog",
            headers={"X-Auth-Token": token, "X-Subject-Token": token},
            verify=settings.OPENSTACK_VERIFY,
        )
        return self._user(self._judge(answer))

    def _judge(self, answer: Answer) -> Document:
        """Return the token's description in Keystone's response."""
        document = answer.document or {}
        # Only Keystone's own error refuses a token: a proxy, or a wrong KEYSTONE_URL, would refuse every one. And 403
        # is about its policy (identity:validate_token), which it may not have read yet when it has just started.
        if answer.status in (400, 401, 404) and "error" in document:
            raise refused(f"it was revoked, or {WITH_ACCESS_RULES}" if answer.status == 404 else "")
        token = part(document, "token")
        if answer.status != 200 or not token:
            raise self.unavailable(f"status {answer.status}, with a body that is {'' if token else 'not '}Keystone's")
        if part(token, "application_credential").get("access_rules"):
            raise refused(WITH_ACCESS_RULES)
        return token

    def _user(self, token: Document) -> TokenUser:
        user = part(token, "user")
        expires_at = _moment(text(token, "expires_at"))
        if not text(user, "id").strip() or expires_at is None:
            raise self.unavailable("200 without a user or an expiry")
        held, scope = names(token, "roles"), Scope.of(token)
        owned_nodes = mappings.owned_nodes(settings.KEYSTONE_OPERATORS, held, scope)
        roles = {Role.INFRASTRUCTURE_OWNER.value} if owned_nodes else set()
        if mappings.is_manager(settings.KEYSTONE_MANAGERS, held, scope):
            roles.add(Role.INFRASTRUCTURE_MANAGER.value)
        return TokenUser(
            provider=self.name,
            id=text(user, "id"),
            username=shown(f"{text(user, 'name')}@{text(part(user, 'domain'), 'name')}"),
            email="",
            roles=frozenset(roles),
            owned_nodes=owned_nodes,
            expires_at=expires_at,
            grants=tuple(shown(f"{role}@{scope}") for role in held),
            project_id=scope.project_id,
        )


def _moment(value: str) -> datetime | None:
    """Parse a time as Keystone writes it, such as 2026-11-29T16:30:00.000000Z; return None for anything else."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
