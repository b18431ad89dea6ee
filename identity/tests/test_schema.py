"""The credentials in the API documentation."""

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings
from drf_spectacular.validation import validate_schema

from identity.tests import urls


def test_every_way_to_authenticate_is_documented() -> None:
    # Without the hooks of the whole API's description, which expect its paths and bodies.
    with patched_settings({"PREPROCESSING_HOOKS": [], "POSTPROCESSING_HOOKS": []}):
        schema = SchemaGenerator(patterns=urls.urlpatterns).get_schema(public=True)  # type: ignore[no-untyped-call]
    validate_schema(schema)  # type: ignore[no-untyped-call]
    schemes = schema["components"]["securitySchemes"]
    assert {(scheme["type"], scheme.get("name") or scheme["scheme"]) for scheme in schemes.values()} == {
        ("apiKey", "X-Auth-Token"),
        ("http", "bearer"),
        ("apiKey", "access_token"),
        ("http", "basic"),
        ("apiKey", "user"),
        ("apiKey", "password"),
    }
    alternatives = schema["paths"]["/protected"]["get"]["security"]
    assert {"userHeader": [], "passwordHeader": []} in alternatives
    assert sorted(name for alternative in alternatives for name in alternative) == sorted(schemes)
    assert {} in schema["paths"]["/open"]["get"]["security"]
    assert {} not in alternatives
