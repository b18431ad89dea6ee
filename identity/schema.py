"""The security schemes in the API's description."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

_SCHEMES: dict[str, dict[str, str]] = {
    "idmToken": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Auth-Token",
        "description": "An OAuth2 token of the FIWARE IdM (Keyrock), or a token of the central Keystone.",
    },
    "idmBearer": {"type": "http", "scheme": "bearer", "description": "The same token."},
    "idmQuery": {
        "type": "apiKey",
        "in": "query",
        "name": "access_token",
        "description": "The same token, for clients that cannot set a header.",
    },
    "localAccount": {"type": "http", "scheme": "basic", "description": "A local account."},
    "userHeader": {
        "type": "apiKey",
        "in": "header",
        "name": "user",
        "description": "The name of a local account, together with the header `password`.",
    },
    "passwordHeader": {"type": "apiKey", "in": "header", "name": "password", "description": "Its password."},
}


class FlavorSyncScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its __init_subclass__
    """The description of `FlavorSyncAuthentication`: any one of five ways."""

    target_class = "identity.authentication.FlavorSyncAuthentication"
    name = list(_SCHEMES)

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        """Return the security schemes in the order of their names."""
        return list(_SCHEMES.values())

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        """Return the alternatives; the headers `user` and `password` together are one."""
        singles = ("idmToken", "idmBearer", "idmQuery", "localAccount")
        return [*({name: []} for name in singles), {"userHeader": [], "passwordHeader": []}]
