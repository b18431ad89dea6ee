"""Infrastructures on the wire. Requests contain credentials, responses never do."""

from typing import Any

from rest_framework import serializers

from flavorsync_project.api.serializers import StrictCharField, wrapped
from infrastructures.fields import NameField
from infrastructures.models import Infrastructure

MAX_LENGTH = 255


class InfrastructureSerializer(serializers.Serializer[Infrastructure]):
    """An infrastructure, of which only the name is shown."""

    name = serializers.CharField()


class InfrastructureRegistrationSerializer(serializers.Serializer[Any]):
    """An infrastructure to register, with the credentials to enter it."""

    name = NameField()
    keystone_url = StrictCharField(max_length=MAX_LENGTH)
    nova_url = StrictCharField(max_length=MAX_LENGTH, required=False, allow_blank=True)
    username = StrictCharField(max_length=MAX_LENGTH)
    password = StrictCharField(max_length=MAX_LENGTH)
    tenant = StrictCharField(max_length=MAX_LENGTH)
    region = StrictCharField(max_length=MAX_LENGTH, required=False, allow_blank=True)
    user_domain = StrictCharField(max_length=MAX_LENGTH, required=False)
    project_domain = StrictCharField(max_length=MAX_LENGTH, required=False)


INFRASTRUCTURE_DOCUMENT = wrapped("infrastructure", InfrastructureSerializer())
"""The body of an answer that holds one infrastructure, for OpenAPI."""
