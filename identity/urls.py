"""The paths to sign in with an identity provider."""

from django.urls import path

from identity import pages

urlpatterns = [
    path("keystone", pages.with_keystone, name="with_keystone"),
    path("keyrock", pages.with_keyrock, name="with_keyrock"),
    path("keyrock/back", pages.from_keyrock, name="from_keyrock"),
]
