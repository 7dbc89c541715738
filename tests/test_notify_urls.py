from __future__ import annotations

import re
import warnings
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test.utils import override_script_prefix
from django.urls import include, path, set_urlconf

from django_hoiio import urls as webhook
from django_hoiio.enums import Route, VerifiedBy
from django_hoiio.notify_urls import is_local, notify_url
from django_hoiio.verification import verify


@pytest.fixture(autouse=True)
def _public(settings: Any) -> None:
    settings.HOIIO = {"PUBLIC_URL": "https://my.example.com", "ACCOUNTS": {"second": {}}}


@pytest.mark.parametrize("route", Route)
def test_notify_url_is_absolute_and_signed(route: Route) -> None:
    url = notify_url(route.value, account="second", pass_on={"username": "bob"})

    found = re.fullmatch(rf"https://my\.example\.com/hoiio/{route}/([\w.~-]+)/", url)
    assert found
    verdict = verify(route, found[1], b"", None)
    assert (verdict.verified_by, verdict.account, verdict.pass_on) == (VerifiedBy.URL, "second", {"username": "bob"})


def test_neither_scheme_nor_host_nor_prefix_is_signed(settings: Any) -> None:
    token = notify_url("sms").split("/")[-2]

    settings.HOIIO = {"PUBLIC_URL": "https://other.example.com/"}
    with override_script_prefix("/app/"):
        from_elsewhere = notify_url("sms")

    assert from_elsewhere == f"https://other.example.com/app/hoiio/sms/{token}/"
    assert from_elsewhere.split("/")[-2] == token


def test_default_account_exists_without_settings(settings: Any) -> None:
    settings.HOIIO = {"PUBLIC_URL": "https://my.example.com"}

    assert notify_url("any").startswith("https://my.example.com/hoiio/any/")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"route": "mms"}, "There is no route 'mms'; the routes are voice, sms, fax, ivr, any."),
        ({"account": "third"}, "HOIIO['ACCOUNTS'] has no account 'third'; it has default, second."),
        *(
            (
                {"pass_on": pass_on},
                "pass_on would not come back unchanged; use strings, numbers, lists and dicts with string keys.",
            )
            for pass_on in (
                {"x": float("inf")},
                {"a": object()},
                {1: "a"},
                {"a": ("b",)},
                {"a": "\0"},
                {"\ud800": "a"},
                {"a": float("nan")},
            )
        ),
    ],
)
def test_invalid_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        notify_url(**{"route": "sms", **arguments})


def test_text_that_only_looks_like_a_nul_is_passed_on() -> None:
    token = notify_url("sms", pass_on={"x": "\\u0000"}).split("/")[-2]

    assert verify(Route.SMS, token, b"", None).pass_on == {"x": "\\u0000"}


def test_url_longer_than_hoiio_accepts_is_refused() -> None:
    with pytest.raises(ValueError, match=r"would have \d+ characters and Hoiio takes 4000; pass on less"):
        notify_url("sms", pass_on={"x": "y" * 3000})


def test_url_at_the_limit_is_returned_with_a_warning() -> None:
    def length(size: int) -> int:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return len(notify_url("sms", pass_on={"x": "y" * size}))

    longest = max(size for size in range(2800, 2990) if length_fits(size, length))

    with pytest.warns(UserWarning, match=r"gunicorn refuses request lines above 4,094 bytes .* nginx above 8k"):
        assert len(notify_url("sms", pass_on={"x": "y" * longest})) <= 4000
    with pytest.raises(ValueError, match="Hoiio takes 4000"):
        notify_url("sms", pass_on={"x": "y" * (longest + 1)})


def length_fits(size: int, length: Any) -> bool:
    try:
        return bool(length(size) <= 4000)
    except ValueError:
        return False


def test_ordinary_url_causes_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    assert len(notify_url("sms", pass_on={"x": "y" * 1300})) <= 2000
    assert not recwarn.list


@pytest.mark.parametrize("url", [None, "", "my.example.com", "/hoiio", "ftp://my.example.com", "https://"])
def test_relative_public_url_is_a_clear_error(settings: Any, url: str | None) -> None:
    settings.HOIIO = {"PUBLIC_URL": url, "API_URL": "http://127.0.0.1:8000/sandbox/open/"}

    with pytest.raises(ImproperlyConfigured, match="Hoiio needs an absolute URL"):
        notify_url("sms")


LOCAL = [
    "https://localhost",
    "https://127.0.0.1",
    "https://[::1]",
    "https://10.1.2.3",
    "https://intranet",
    "https://a.localhost",
    "https://a.local",
    "https://a.internal",
]


@pytest.mark.parametrize("url", [*LOCAL, "http://my.example.com"])
def test_local_or_plain_http_public_url_needs_a_local_api(settings: Any, url: str) -> None:
    settings.HOIIO = {"PUBLIC_URL": url}
    with pytest.raises(ImproperlyConfigured, match="which Hoiio cannot reach safely"):
        notify_url("sms")

    settings.HOIIO = {"PUBLIC_URL": url, "API_URL": "http://127.0.0.1:8000/sandbox/open/"}
    assert notify_url("sms").startswith(url)


def test_hosts_that_only_this_network_resolves_are_local() -> None:
    assert all(map(is_local, LOCAL))
    assert not any(map(is_local, ["https://my.example.com", "https://8.8.8.8", "https://[2001:4860:4860::8888]"]))


@pytest.mark.parametrize("url", ["https://[", " https://my.example.com", "https://:443"])
def test_public_url_that_cannot_be_parsed_is_a_clear_error(settings: Any, url: str) -> None:
    settings.HOIIO = {"PUBLIC_URL": url}

    with pytest.raises(ImproperlyConfigured, match="Hoiio needs an absolute URL"):
        notify_url("sms")


# Where the project includes the URLs.


def urlconf(*patterns: Any) -> Any:
    return type("urls", (), {"urlpatterns": patterns})


HOOKS = urlconf(path("hooks/", include("django_hoiio.urls")))
EMPTY = urlconf()
HOIIO = path("hoiio/", include("django_hoiio.urls"))
NESTED = path("nested/", include(([path("x/", include(([], "x"))), HOIIO], "outer"), namespace="inner"))


@pytest.mark.parametrize(
    ("patterns", "prefix"),
    [
        ([NESTED], "/nested/hoiio/"),
        ([path("a/", include(([NESTED], "a")))], "/a/nested/hoiio/"),
        ([path("phone/", include("django_hoiio.urls", namespace="phone"))], "/phone/"),
        ([path("a/", include(([path("b/", include("django_hoiio.urls", namespace="phone"))], "a")))], "/a/b/"),
        ([path("c/", include((webhook.urlpatterns, "django_hoiio"), namespace="phone"))], "/c/"),
        # Django's rule, too: the instance that is named as the app is the default.
        ([NESTED, HOIIO], "/hoiio/"),
    ],
)
def test_urls_may_be_included_in_any_namespace(settings: Any, patterns: list[Any], prefix: str) -> None:
    settings.ROOT_URLCONF = urlconf(*patterns)

    assert notify_url("sms").startswith(f"https://my.example.com{prefix}sms/")


def test_named_urlconf_is_used(settings: Any) -> None:
    settings.ROOT_URLCONF = EMPTY

    assert notify_url("sms", urlconf=HOOKS).startswith("https://my.example.com/hooks/sms/")
    assert notify_url("sms", urlconf="django_hoiio.urls").startswith("https://my.example.com/sms/")


def test_active_urlconf_is_used_before_the_root(settings: Any) -> None:
    try:
        set_urlconf(HOOKS)
        active = notify_url("sms")
        set_urlconf(EMPTY)
        root = notify_url("sms")
    finally:
        set_urlconf(None)

    assert active.startswith("https://my.example.com/hooks/sms/")
    assert root.startswith("https://my.example.com/hoiio/sms/")


@pytest.mark.parametrize(
    ("root", "arguments", "where"),
    [
        (EMPTY, {}, repr(EMPTY)),
        ("tests.urls", {"urlconf": EMPTY}, repr(EMPTY)),
        (None, {}, "any URLconf"),
        (urlconf(path("<tenant>/", include("django_hoiio.urls"))), {}, "<class"),
    ],
)
def test_missing_urls_are_a_clear_error(settings: Any, root: Any, arguments: dict[str, Any], where: str) -> None:
    settings.ROOT_URLCONF = root

    with pytest.raises(ImproperlyConfigured) as raised:
        notify_url("sms", **arguments)
    assert str(raised.value).startswith(f"django_hoiio.urls is not included in {where}")
    assert str(raised.value).endswith(
        "; add path('hoiio/', include('django_hoiio.urls')) to its urlpatterns, or name another URLconf: `urlconf` of"
        " notify_url, --urlconf of hoiio_urls."
    )
