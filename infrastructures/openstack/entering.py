"""Entering a region's Nova with a caller's token or with our stored credentials."""

from collections.abc import Iterator
from contextlib import contextmanager

from keystoneauth1.token_endpoint import Token

from infrastructures.openstack.errors import CredentialsRefused, Forbidden, TokenRefused
from infrastructures.openstack.keystone import checked, compute_endpoint, forget_token, open_token, session_of
from infrastructures.openstack.nova import Nova
from infrastructures.openstack.records import Credentials, Region
from infrastructures.openstack.sessions import open_session


class CallersNova(Nova):
    """The flavors of a region, read and changed with a caller's token.

    Raises:
        TokenRefused: the token is not accepted. Every method raises it, too.
        CloudUnavailable: Keystone did not answer, or the region has no compute endpoint.

    Cost: as `Nova` and `open_token`.
    """

    def __init__(self, region: Region, token: str) -> None:
        self._presented_token = token
        access = open_token(token, region)
        endpoint = checked(access.compute.get(region.region_name), region)
        super().__init__(region, open_session(region.name, Token(endpoint, access.token)), endpoint)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            with super()._answering():
                yield
        except TokenRefused:
            forget_token(self._presented_token, self.region)
            raise


class OperatorsNova(Nova):
    """The flavors of a registered cloud, read and changed with our stored credentials for it.

    Raises:
        CredentialsRefused: the cloud refuses our credentials, or does not let them do this. Every method raises it.
        CloudUnavailable: Keystone did not answer, or the region has no compute endpoint.

    Cost: as `Nova`, and one Keystone call if we are not, or no longer, authenticated there.
    """

    def __init__(self, credentials: Credentials) -> None:
        self.region = credentials.region
        endpoint = compute_endpoint(credentials)
        _, session = session_of(credentials)
        super().__init__(credentials.region, session, endpoint)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            with super()._answering():
                yield
        except (TokenRefused, Forbidden) as error:
            raise CredentialsRefused(
                self.region.name, "it does not let our stored credentials do this.", request_id=error.request_id
            ) from error
