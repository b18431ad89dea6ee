"""Where secrets can be sent without anybody on the way reading them."""

import pytest

from flavorsync_project.api.urls import is_safe_to_send_to


@pytest.mark.parametrize(
    "url",
    [
        "https://keystone.example.org/v3",
        "HTTPS://keystone.example.org",
        "http://localhost:5000/v3",
        "http://127.0.0.1",
        "http://127.9.9.9:1/x",
        "http://[::1]:5000",
    ],
)
def test_encrypted_or_on_this_machine(url: str) -> None:
    assert is_safe_to_send_to(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "keystone.example.org",
        "http://keystone.example.org",
        "http://localhost.example.org",
        "http://127.0.0.1.example.org",
        "http://10.0.0.1:5000",
        "http://0.0.0.0",
        "http://[::1",
        "http://",
        "ftp://localhost",
    ],
)
def test_anywhere_else(url: str) -> None:
    assert not is_safe_to_send_to(url)
