"""Which URLs a cloud may have."""

import pytest
from django.core.exceptions import ValidationError
from pytest_django import Settings

from infrastructures.validators import validate_cloud_url


@pytest.fixture(autouse=True)
def _no_list(settings: Settings) -> None:
    settings.INFRASTRUCTURE_URL_ALLOWLIST = []


NOT_HTTP = "must be an http or https URL"
NO_HOST = "must be a URL with a host"
NO_URL = "must be a URL"
TOO_MUCH = "must hold no user name, query or fragment"
NOT_ALLOWED = "names a host that INFRASTRUCTURE_URL_ALLOWLIST does not allow"


@pytest.mark.parametrize(
    "url",
    [
        "http://controller",
        "http://controller:5000",
        "http://controller:5000/v3",
        "https://keystone.example.org",
        "HTTPS://Keystone.Example.ORG/identity/v3/",
        "http://my_cloud-1.internal:35357/v2.0/",
        "http://10.0.0.1:8774/v2.1/0123456789abcdef",
        "http://55.66.77.88:35357/",
        "http://[fd00::1]:5000/v3",
        "http://172.16.0.1:5000/v3",
        "http://192.168.0.1:5000/v3",
        "https://[2001:db8::17]/identity",
        "http://a",
        "https://xn--mnchen-3ya.example.org/",
        "http://example.org:65535/a@b",
    ],
)
def test_good_ones(url: str) -> None:
    validate_cloud_url(url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        *((url, NOT_HTTP) for url in ("", "keystone", "controller:5000", "//controller/v3", "/v3", "http")),
        *(
            (f"{scheme}:{rest}", NOT_HTTP)
            for scheme, rest in (
                ("file", "///etc/passwd"),
                ("ftp", "//ftp.example.org/"),
                ("javascript", "alert(1)"),
                ("gopher", "//example.org:70/_"),
                ("data", "text/plain,x"),
                ("ldap", "//example.org"),
                ("unix", "///run/docker.sock"),
                ("http+unix", "//run"),
                ("httpx", "//example.org"),
            )
        ),
        *(
            (url, NO_HOST)
            for url in (
                "http:",
                "http:/example.org",
                " http://a",
                "http://",
                "http:///v3",
                "http://:5000",
                "https:///example.org",
            )
        ),
        *(
            (url, TOO_MUCH)
            for url in (
                "http://user@example.org",
                "http://user:secret@example.org:5000/v3",
                "http://@example.org",
                "http://example.org/v3?x=1",
                "http://example.org/v3?",
                "http://example.org/v3#top",
                "http://example.org#",
                "http://example.org#@elsewhere.org",
            )
        ),
        *(
            (f"http://example.org{odd}/v3", NO_HOST)
            for odd in (
                " ",
                "\t",
                "\n",
                "\r\n",
                "\x00",
                "\x1f",
                "\x7f",
                "\x85",
                "\xa0",
                "\u2028",
                "\\",
                "\\@elsewhere.org",
            )
        ),
        *((f"http://example.org/v3{odd}", NO_HOST) for odd in (" ", "\n", "\r\nHost: x", "\x00", "\\", "\u3000", "\t")),
        *(
            (f"http://example.org:{port}/", NO_URL)
            for port in ("65536", "99999999999999999999", "-1", "http", "5000x", "٥٠٠٠", "0x50")
        ),
        *(
            (url, NO_URL)
            for url in ("http://[::1", "http://::1]/", "http://[nonsense]/", "http://[fe80::1%eth0", "http://[]/")
        ),
        # What a browser or a resolver would make another host of
        *(
            (f"http://{host}/", message)
            for host, message in (
                ("münchen.example.org", NO_HOST),
                ("ⓔxample.org", NO_HOST),
                ("example。org", NO_HOST),
                ("example\u200b.org", NO_HOST),
                ("example\u202e.org", NO_HOST),
                ("１２７.0.0.1", NO_HOST),
                ("a\uff0fb.example.org", NO_URL),
                ("a\u2100b.example.org", NO_URL),
                ("example.org%2eevil", NO_HOST),
                ("%65xample.org", NO_HOST),
                ("[fe80::1%25eth0]", NO_HOST),
                ("-example.org", NO_HOST),
                (".example.org", NO_HOST),
                ("example.org.", NO_HOST),
                ("exa$mple.org", NO_HOST),
                ("a,b", NO_HOST),
                ("..", NO_HOST),
            )
        ),
    ],
)
def test_bad_ones(url: str, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        validate_cloud_url(url)
    assert caught.value.messages == [message]


@pytest.mark.parametrize(
    ("allowed", "url", "passes"),
    [
        ([], "http://anything", True),
        (["*"], "http://anything", True),
        (["keystone.example.org"], "https://keystone.example.org:5000/v3", True),
        (["keystone.example.org"], "https://KEYSTONE.example.org", True),
        (["Keystone.Example.org"], "https://keystone.example.org", True),
        (["keystone.example.org"], "https://example.org", False),
        (["keystone.example.org"], "https://evil.keystone.example.org", False),
        (["keystone.example.org"], "https://keystone.example.org.evil.net", False),
        (["keystone.example.org"], "https://evil.net/keystone.example.org", False),
        ([".example.org"], "https://keystone.example.org", True),
        ([".example.org"], "https://a.b.example.org", True),
        ([".example.org"], "https://example.org", True),
        ([".example.org"], "https://evilexample.org", False),
        ([".example.org"], "https://example.org.evil.net", False),
        (["10.0.0.1"], "http://10.0.0.1:8774", True),
        (["10.0.0.1"], "http://10.0.0.11", False),
        (["10.0.0.1"], "http://167772161", False),
        (["[2001:db8::17]"], "http://[2001:db8::17]:5000/v3", True),
        (["[2001:DB8::17]"], "http://[2001:db8::17]", True),
        (["[2001:db8::17]"], "http://[2001:db8::18]:5000/v3", False),
        (["a", ".example.org"], "http://a:5000", True),
        (["a", ".example.org"], "http://keystone.example.org", True),
        (["a", ".example.org"], "http://b", False),
    ],
)
def test_hosts_can_be_restricted(settings: Settings, allowed: list[str], url: str, passes: bool) -> None:
    settings.INFRASTRUCTURE_URL_ALLOWLIST = allowed
    if passes:
        validate_cloud_url(url)
        return
    with pytest.raises(ValidationError) as caught:
        validate_cloud_url(url)
    assert caught.value.messages == [NOT_ALLOWED]
