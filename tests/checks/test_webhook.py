"""The checks of the way from Hoiio to the webhook view."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from django.core import checks as django_checks
from django.core.checks import CheckMessage
from django.http import HttpRequest, HttpResponse
from django.middleware.security import SecurityMiddleware
from django.urls import include, path, re_path
from django.views.generic import View

from django_hoiio import checks
from django_hoiio.views import receive

SANDBOX = "http://127.0.0.1:8000/sandbox/open/"
SECURITY = "django.middleware.security.SecurityMiddleware"


@pytest.fixture(autouse=True)
def _documented(settings: Any) -> None:
    """The set-up of the README, behind a proxy that terminates TLS."""
    settings.HOIIO = {"PUBLIC_URL": "https://my.example.com"}
    settings.DEBUG = False
    settings.ALLOWED_HOSTS = ["my.example.com"]
    settings.MIDDLEWARE = [SECURITY, *settings.MIDDLEWARE]
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")


def urlconf(*patterns: Any) -> Any:
    return type("urls", (), {"urlpatterns": patterns})


def found(check: Callable[[None], list[CheckMessage]]) -> list[tuple[str | None, str, str | None]]:
    return [(each.id, each.msg, each.hint) for each in check(None)]


def test_documented_set_up_gives_no_warning() -> None:
    assert found(checks.check_public_url) == found(checks.check_webhook) == []


@pytest.mark.parametrize("hoiio", [["PUBLIC_URL"], {"PUBLIC_URL": 7}, {"PUBLIC_URL": "https://["}, {"ACCOUNTS": "x"}])
def test_unusable_settings_are_left_to_their_errors(settings: Any, hoiio: object) -> None:
    settings.HOIIO = hoiio

    assert checks.check_settings(None) != []
    assert found(checks.check_public_url) == found(checks.check_webhook) == []


def test_public_url_is_checked_on_deployment_only(settings: Any) -> None:
    settings.HOIIO = {}

    assert checks.webhook.W018 in django_checks.run_checks(tags=["security"], include_deployment_checks=True)
    assert checks.webhook.W018 not in django_checks.run_checks(tags=["security"])


# PUBLIC_URL.


@pytest.mark.parametrize("hoiio", [{}, {"PUBLIC_URL": None}])
def test_missing_public_url_is_a_warning(settings: Any, hoiio: object) -> None:
    settings.HOIIO = hoiio

    assert found(checks.check_public_url) == [
        (
            "django_hoiio.W018",
            "No notify URL can be created: HOIIO['PUBLIC_URL'] is not set.",
            "Write 'PUBLIC_URL': 'https://my.example.com' in HOIIO, with the public address of this site.",
        )
    ]


@pytest.mark.parametrize("url", ["http://my.example.com", "https://127.0.0.1", "https://10.0.0.1", "https://intranet"])
def test_public_url_that_hoiio_cannot_reach_is_a_warning(settings: Any, url: str) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.HOIIO = {"PUBLIC_URL": url}
    assert found(checks.check_public_url) == [
        (
            "django_hoiio.W012",
            f"Hoiio cannot reach HOIIO['PUBLIC_URL'] safely: {url!r} is plain http or a local address.",
            "Write 'PUBLIC_URL': 'https://my.example.com' in HOIIO, an https URL that is open to the internet.",
        )
    ]

    settings.HOIIO = {"PUBLIC_URL": url, "API_URL": SANDBOX}
    assert found(checks.check_public_url) == []


@pytest.mark.parametrize(
    ("url", "allowed", "debug"),
    [
        ("https://my.example.com", ["my.example.com"], False),
        ("https://MY.example.com:8443/", [".example.com"], False),
        ("https://my.example.com", ["*"], False),
        ("https://user@my.example.com", ["my.example.com"], False),
        ("https://[2001:4860:4860::8888]:8443", ["[2001:4860:4860::8888]"], False),
        ("http://127.0.0.1:8000", [], True),
        ("http://[::1]:8000", [], True),
        ("http://a.localhost", [], True),
    ],
)
def test_host_that_django_answers_gives_no_warning(settings: Any, url: str, allowed: list[str], debug: bool) -> None:
    settings.ALLOWED_HOSTS, settings.DEBUG = allowed, debug
    settings.HOIIO = {"PUBLIC_URL": url, "API_URL": SANDBOX}

    assert found(checks.check_public_url) == []


@pytest.mark.parametrize(
    ("url", "host", "allowed", "debug"),
    [
        ("https://my.example.com", "my.example.com", [], False),
        ("https://my.example.com:8443", "my.example.com", ["example.com", "other.example.com"], False),
        ("https://my.example.com", "my.example.com", [], True),
        ("http://127.0.0.1:8000", "127.0.0.1", [], False),
        ("http://127.0.0.1:8000", "127.0.0.1", ["my.example.com"], True),
    ],
)
def test_host_that_django_refuses_is_a_warning(
    settings: Any, url: str, host: str, allowed: list[str], debug: bool
) -> None:
    settings.ALLOWED_HOSTS, settings.DEBUG = allowed, debug
    settings.HOIIO = {"PUBLIC_URL": url, "API_URL": SANDBOX}

    assert found(checks.check_public_url) == [
        (
            "django_hoiio.W013",
            f"Django answers notifications with 400: the host of {url!r} is not in ALLOWED_HOSTS.",
            f"Write ALLOWED_HOSTS += ['{host}'] below it.",
        )
    ]


# Redirects to https.

REDIRECTED = "Behind a proxy, notifications are answered with a redirect and lost: SECURE_SSL_REDIRECT is True."
HEADER = 'Write SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if the proxy sets that header'


class OwnSecurityMiddleware(SecurityMiddleware):
    pass


@pytest.mark.parametrize("middleware", [SECURITY, f"{__name__}.OwnSecurityMiddleware"])
def test_redirect_to_https_without_the_header_is_a_warning(settings: Any, middleware: str) -> None:
    settings.SECURE_PROXY_SSL_HEADER = None
    settings.MIDDLEWARE = [middleware]

    assert found(checks.check_public_url) == [
        ("django_hoiio.W014", REDIRECTED, HEADER + ', or SECURE_REDIRECT_EXEMPT = [r"^hoiio/"].')
    ]


@pytest.mark.parametrize(
    ("exempt", "is_silent"),
    [
        ([r"^hoiio/"], True),
        ([r"^admin/", r"hoiio"], True),
        ([r"^hoiio/$", r"^hoiio/\w+/$", r"^hoiio/\w+/[\w~.-]+/$"], True),
        ([r"^/hoiio/"], False),
        ([r"^hoiio/sms/"], False),
        ([r"^hoiio/$", r"^hoiio/\w+/$"], False),
        ([r"^hoiio/\w+/"], False),
    ],
)
def test_every_url_of_the_webhook_must_be_exempt(
    settings: Any, client: Any, exempt: list[str], is_silent: bool
) -> None:
    settings.SECURE_PROXY_SSL_HEADER = None
    settings.SECURE_REDIRECT_EXEMPT = exempt

    assert [each.id for each in checks.check_public_url(None)] == ([] if is_silent else ["django_hoiio.W014"])
    # What the server then does.
    paths = ["/hoiio/", "/hoiio/sms/", "/hoiio/ivr/token~signature/"]
    answers = {client.post(path, SERVER_NAME="my.example.com").status_code for path in paths}
    assert (301 not in answers) == is_silent


@pytest.mark.parametrize(
    "change", [{"SECURE_SSL_REDIRECT": False}, {"MIDDLEWARE": []}, {"MIDDLEWARE": ["missing.Middleware"]}]
)
def test_site_that_does_not_redirect_gives_no_warning(settings: Any, change: dict[str, Any]) -> None:
    settings.SECURE_PROXY_SSL_HEADER = None
    for name, value in change.items():
        setattr(settings, name, value)

    assert found(checks.check_public_url) == []


@pytest.mark.parametrize(
    ("prefix", "hint"),
    [("in-box/hoiio/", r', or SECURE_REDIRECT_EXEMPT = [r"^in\-box/hoiio/"].'), ("", ".")],
)
def test_hint_about_redirects_has_the_prefix_of_the_project(settings: Any, prefix: str, hint: str) -> None:
    settings.SECURE_PROXY_SSL_HEADER = None
    settings.ROOT_URLCONF = urlconf(path(prefix, include("django_hoiio.urls")))

    assert found(checks.check_public_url) == [("django_hoiio.W014", REDIRECTED, HEADER + hint)]


# Included URLs.

NESTED = path("hooks/", include(([path("hoiio/", include("django_hoiio.urls"))], "hooks")))


@pytest.mark.parametrize(
    "patterns",
    [
        [NESTED],
        [path("a/", include(([NESTED], "a"), namespace="b"))],
        [path("hoiio/", include("django_hoiio.urls", namespace="phone"))],
        [path("", include("django_hoiio.urls"))],
    ],
)
def test_urls_may_be_included_anywhere(settings: Any, patterns: list[Any]) -> None:
    settings.ROOT_URLCONF = urlconf(*patterns)

    assert found(checks.check_webhook) == []


def test_urls_of_the_webhook_may_be_the_whole_urlconf(settings: Any) -> None:
    settings.ROOT_URLCONF = "django_hoiio.urls"

    assert found(checks.check_webhook) == []


@pytest.mark.parametrize(
    "patterns",
    [
        [],
        [path("hoiio/", View.as_view(), name="root")],
        [path("<tenant>/", include("django_hoiio.urls"))],
        [path("<tenant>/", include(([NESTED], "tenant")))],
    ],
)
def test_urls_that_cannot_be_reversed_are_a_warning(settings: Any, patterns: list[Any]) -> None:
    settings.ROOT_URLCONF = urls = urlconf(*patterns)
    settings.SECURE_PROXY_SSL_HEADER = None
    settings.HOIIO = {"REQUIRE_VERIFICATION": False}

    assert found(checks.check_webhook) == [
        (
            "django_hoiio.W015",
            (
                f"Notifications are answered with 404: django_hoiio.urls is not included in {urls!r}, or its URLs have"
                " further parameters."
            ),
            'Add path("hoiio/", include("django_hoiio.urls")) to its urlpatterns.',
        )
    ]


def test_project_without_urls_gives_no_warning(settings: Any) -> None:
    settings.ROOT_URLCONF = None
    settings.SECURE_PROXY_SSL_HEADER = None

    assert found(checks.check_public_url) == found(checks.check_webhook) == []


# Middleware that opens a transaction.


@pytest.fixture
def reversion(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A stand-in for django-reversion, and for a module of the project with a middleware."""

    class RevisionMiddleware:
        atomic = True
        using: str | None = None

        def __init__(self, get_response: Any) -> None:
            self.get_response = get_response

        def request_creates_revision(self, request: HttpRequest) -> bool:
            return request.method not in ("OPTIONS", "GET", "HEAD")

        def __call__(self, request: HttpRequest) -> HttpResponse:
            response: HttpResponse = self.get_response(request)
            return response

    RevisionMiddleware.__module__, RevisionMiddleware.__qualname__ = "reversion.middleware", "RevisionMiddleware"
    modules = SimpleNamespace(middleware=ModuleType("reversion.middleware"), project=ModuleType("project"))
    modules.middleware.RevisionMiddleware = RevisionMiddleware  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "reversion", ModuleType("reversion"))
    monkeypatch.setitem(sys.modules, "reversion.middleware", modules.middleware)
    monkeypatch.setitem(sys.modules, "project", modules.project)
    return modules


def opened_by(middleware: str) -> list[tuple[str, str, str]]:
    return [
        (
            "django_hoiio.W016",
            f"Notifications cannot be committed: {middleware} opens a transaction around the webhook.",
            (
                "Replace it in MIDDLEWARE by a subclass whose request_creates_revision returns False if"
                " request.path.startswith('/hoiio/')."
            ),
        )
    ]


def test_middleware_of_reversion_is_a_warning(settings: Any, reversion: Any) -> None:
    settings.MIDDLEWARE = ["reversion.middleware.RevisionMiddleware"]

    assert found(checks.check_webhook) == opened_by("reversion.middleware.RevisionMiddleware")


@pytest.mark.parametrize(
    ("attributes", "is_silent"),
    [
        ({}, False),
        ({"using": "default"}, False),
        ({"atomic": False}, True),
        ({"using": "revisions"}, True),
        ({"request_creates_revision": lambda self, request: not request.path.startswith("/hoiio/")}, True),
        ({"request_creates_revision": lambda self, request: not request.path_info.startswith("/hoiio/")}, True),
        ({"request_creates_revision": lambda self, request: request.method == "PUT"}, True),
        ({"request_creates_revision": lambda self, request: not request.path.startswith("/hoiio/sms/")}, False),
        ({"request_creates_revision": lambda self, request: request.user.is_staff}, False),
    ],
)
def test_subclass_of_it_is_a_warning_unless_it_leaves_the_webhook_alone(
    settings: Any, reversion: Any, attributes: dict[str, Any], is_silent: bool
) -> None:
    reversion.project.Revisions = type("Revisions", (reversion.middleware.RevisionMiddleware,), attributes)
    settings.MIDDLEWARE = ["project.Revisions"]

    assert found(checks.check_webhook) == ([] if is_silent else opened_by("project.Revisions"))


def middleware_function(get_response: Any) -> Any:
    return get_response


def test_middleware_that_is_a_function_or_missing_gives_no_warning(settings: Any) -> None:
    settings.MIDDLEWARE = [f"{__name__}.middleware_function", "missing.Middleware"]

    assert found(checks.check_webhook) == found(checks.check_public_url) == []


# The root without its slash.


def lost(url: str) -> list[tuple[str, str, str]]:
    return [
        (
            "django_hoiio.W017",
            f"A notification to '/{url}', without the last slash, does not reach the webhook.",
            f'Write path("{url}", receive) in the_urls, and from django_hoiio.views import receive.',
        )
    ]


@pytest.fixture
def route(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set the URLs of the project."""

    def _route(*patterns: Any) -> None:
        module: Any = ModuleType("the_urls")
        module.urlpatterns = patterns
        monkeypatch.setitem(sys.modules, "the_urls", module)
        settings.ROOT_URLCONF = "the_urls"

    return _route


INCLUDED = path("hoiio/", include("django_hoiio.urls"))


@pytest.mark.parametrize(
    ("hoiio", "is_silent"),
    [
        ({}, True),
        ({"ACCOUNTS": {"second": {"APP_ID": "a"}}}, True),
        ({"ACCOUNTS": {"second": {"ACCESS_TOKEN": "t"}}}, False),
        ({"REQUIRE_VERIFICATION": False}, False),
    ],
)
def test_root_without_its_slash_is_a_warning_if_it_could_be_verified(
    settings: Any, route: Callable[..., None], hoiio: dict[str, Any], is_silent: bool
) -> None:
    settings.HOIIO = hoiio
    route(INCLUDED)

    assert found(checks.check_webhook) == ([] if is_silent else lost("hoiio"))


@pytest.mark.parametrize(
    ("patterns", "messages"),
    [
        ([path("hoiio", receive), INCLUDED], []),
        ([path("", include("django_hoiio.urls"))], []),
        ([NESTED], lost("hooks/hoiio")),
        ([path("hooks/hoiio", receive), NESTED], []),
        ([INCLUDED, re_path("", View.as_view())], lost("hoiio")),
    ],
)
def test_root_without_its_slash_must_lead_to_the_view(
    settings: Any, route: Callable[..., None], patterns: list[Any], messages: list[Any]
) -> None:
    settings.HOIIO = {"REQUIRE_VERIFICATION": False}
    route(*patterns)

    assert found(checks.check_webhook) == messages
