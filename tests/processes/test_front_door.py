"""The set-up of docs/guides/deployment.rst: nginx with TLS, a server and PostgreSQL; and each of its lines left out once."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import docutils.nodes
import pytest
from django.db import connection

from django_hoiio.enums import VerifiedBy
from django_hoiio.models import Notification
from django_hoiio.notify_urls import MAX_URL_LENGTH, notify_url
from django_hoiio.sandbox.delivery import Delivery, RawRequest, post
from tests import ROOT
from tests.documents import code_of, make_project, read
from tests.settings import DATABASE

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(DATABASE != "postgres", reason="the documented set-up has PostgreSQL"),
]

PAGE = ROOT / "docs/guides/deployment.rst"
HOST, OTHER_HOST = "my.example.com", "other.example.com"
TOKEN = "the access token"
LIMIT = 1024 * 1024
# Seconds. A busy machine may delay everything.
TIMEOUT = 60

SETTINGS, POSTGRESQL, _, LOGGING, POOL = code_of(PAGE)
GUNICORN = code_of(PAGE, "sh")[0].replace("\\\n", "")
(UVICORN,) = [
    block.astext() for block in read(PAGE).findall(docutils.nodes.literal_block) if "uvicorn" in block.astext()
]
(NGINX,) = code_of(PAGE, "nginx")

# Around the documented server block: another site, which is the default, and values that its administrator has lowered.
NGINX_CONF = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    root {folder}/html;
    proxy_read_timeout 1s;
    client_max_body_size 100k;
    large_client_header_buffers 4 2k;
    server {{
        listen 127.0.0.1:443 ssl;
        server_name {other_host};
        ssl_certificate {folder}/{other_host}.pem;
        ssl_certificate_key {folder}/{other_host}.key;
    }}
    {documented}
}}
"""

RECEIVER = """
import time
from django_hoiio.signals import call_ended

@receiver(call_ended)
def wait(notification, **kwargs):
    time.sleep(float(notification.pass_on.get("seconds", 0)))
"""


@dataclass(frozen=True, kw_only=True)
class Site:
    """A project made by the steps of the README, with the settings for production, and the ports of its servers."""

    folder: Path
    # Of nginx and of gunicorn.
    port: int
    gunicorn_port: int

    def localized(self, documented: str) -> str:
        """Replace ports and paths."""
        return (
            documented.replace("listen 443", f"listen 127.0.0.1:{self.port}")
            .replace("127.0.0.1:443", f"127.0.0.1:{self.port}")
            .replace("127.0.0.1:8000", f"127.0.0.1:{self.gunicorn_port}")
            .replace("--port 8000", f"--port {self.gunicorn_port}")
            .replace(f"/etc/letsencrypt/live/{HOST}/fullchain.pem", f"{self.folder}/{HOST}.pem")
            .replace(f"/etc/letsencrypt/live/{HOST}/privkey.pem", f"{self.folder}/{HOST}.key")
            .replace("/var/log/nginx", str(self.folder))
            .replace("/var/spool/hoiio", f"{self.folder}/spool")
        )

    def environment(self, settings: str = "settings") -> dict[str, str]:
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": f"mysite.{settings}",
            "PYTHONPATH": f"{self.folder}:{ROOT}",
            "SSL_CERT_FILE": f"{self.folder}/{HOST}.pem",
        }

    def write_settings(self, name: str, without: str = "") -> str:
        """Write the documented settings below those that are never left out."""
        account = f'HOIIO["ACCOUNTS"] = {{"default": {{"ACCESS_TOKEN": {TOKEN!r}}}}}'
        lines = ["from .base import *", self.localized(remove(SETTINGS, without)), account]
        (self.folder / f"mysite/{name}.py").write_text("\n".join(lines), encoding="utf-8")
        return name

    def manage(self, *arguments: str, settings: str = "settings") -> str:
        """Run a management command and return what it prints."""
        command = [sys.executable, "manage.py", *arguments]
        ran = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(settings),
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return ran.stdout

    def deliver(self, url: str, **fields: Any) -> int:
        """Post to nginx as Hoiio does, and return the status."""
        here = f"https://127.0.0.1:{self.port}{url.removeprefix(f'https://{HOST}')}"
        with mock.patch.dict(os.environ, SSL_CERT_FILE=f"{self.folder}/{HOST}.pem"):
            return post(Delivery(url=here, host=HOST, **{"params": {}, **fields}), loopback_only=False).status

    def checks(self, settings: str = "settings") -> set[str]:
        """Return the ids of what `check --deploy` finds."""
        printed = self.manage("check", "--deploy", "--database", "default", settings=settings)
        return set(re.findall(r"\(([\w.]+\.[EWI]\d{3})\)", printed))

    def trigger(self, *arguments: str, url: str = "") -> str:
        """Rehearse a notification and return the last line."""
        options = arguments or ("sms_status",)
        url = url or f"https://127.0.0.1:{self.port}"
        return self.manage("hoiio_trigger", *options, "--host", HOST, "--url", url).splitlines()[-1]

    @contextlib.contextmanager
    def gunicorn(self, command: str = GUNICORN, settings: str = "settings") -> Iterator[None]:
        with (self.folder / "gunicorn.log").open("w") as log:
            arguments = shlex.split(self.localized(command))
            with running(
                [sys.executable, "-m", *arguments], self.gunicorn_port, self.folder, log, self.environment(settings)
            ):
                yield

    @contextlib.contextmanager
    def nginx(self, block: str = NGINX) -> Iterator[None]:
        command = self._write_nginx(block)
        with (
            (self.folder / "nginx.log").open("w") as log,
            running(command, self.port, self.folder, log, dict(os.environ)),
        ):
            yield

    def nginx_refuses(self, block: str) -> str:
        """Return the first error of `nginx -t`, without its process id and paths."""
        ran = subprocess.run([*self._write_nginx(block), "-t"], check=False, capture_output=True, text=True)
        found = re.search(r"\[emerg\] (?:\d+#\d+: )?(.*?)( in /| \"/|$)", ran.stderr, re.M)
        return found[1] if found else ""

    def _write_nginx(self, block: str) -> list[str]:
        user = "user root;" if os.geteuid() == 0 else ""
        conf = NGINX_CONF.format(user=user, folder=self.folder, other_host=OTHER_HOST, documented=block)
        (self.folder / "nginx.conf").write_text(self.localized(conf))
        return [program("nginx"), "-e", "stderr", "-c", str(self.folder / "nginx.conf")]


def remove(text: str, line: str) -> str:
    """Remove the line, or the block that begins with it."""
    if not line:
        return text
    lines = text.splitlines()
    start = next(number for number, each in enumerate(lines) if each.strip() == line)
    indent = lines[start][: len(lines[start]) - len(line)]
    end = lines.index(f"{indent}}}", start) if line.endswith("{") else start
    return "\n".join(lines[:start] + lines[end + 1 :])


def program(name: str) -> str:
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        assert os.environ.get("CI") != "true", f"{name} is not installed"
        pytest.skip(f"{name} is not installed")
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(command: list[str], port: int, folder: Path, log: Any, environment: dict[str, str]) -> Iterator[None]:
    """Run a server until the end, and wait until it listens."""
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for(port, process)
        yield
    finally:
        process.terminate()
        process.wait(timeout=TIMEOUT)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, "the server has ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the server did not start in time")


def make_certificate(folder: Path, host: str) -> None:
    files = ["-keyout", str(folder / f"{host}.key"), "-out", str(folder / f"{host}.pem")]
    names = [
        "-subj",
        f"/CN={host}",
        "-addext",
        f"subjectAltName=DNS:{host}",
        "-addext",
        "keyUsage=keyCertSign,digitalSignature",
    ]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run([program("openssl"), "req", "-x509", *key, *names, *files], check=True, capture_output=True)


def shared_settings(folder: Path) -> str:
    """Return the settings of the README, and the database and the logs of the page, with the database of the tests."""
    where = {key: connection.settings_dict[key] for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT")}
    made = (folder / "mysite/settings.py").read_text(encoding="utf-8")
    return "\n".join([made, POSTGRESQL, f'DATABASES["default"].update({where!r})', LOGGING])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Site:
    folder = tmp_path_factory.mktemp("site")
    make_project("README.rst", folder)
    with (folder / "switchboard/receivers.py").open("a", encoding="utf-8") as file:
        file.write(RECEIVER)
    (folder / "mysite/base.py").write_text(shared_settings(folder), encoding="utf-8")
    (folder / "spool").mkdir()
    for host in (HOST, OTHER_HOST):
        make_certificate(folder, host)
    site = Site(folder=folder, port=free_port(), gunicorn_port=free_port())
    site.write_settings("settings")
    return site


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[Site]:
    """The site behind gunicorn, without nginx."""
    with site.gunicorn():
        yield site


@pytest.fixture(scope="module")
def found(site: Site) -> set[str]:
    """The ids of the checks with all documented settings."""
    return site.checks()


@pytest.fixture
def front_door(server: Site) -> Iterator[Site]:
    """The site behind nginx."""
    with server.nginx():
        yield server


# The whole set-up.


@pytest.fixture
def signed_url(site: Site, settings: Any) -> Callable[..., str]:
    """A function that returns a notify URL of the site."""
    secret = re.search(r"^SECRET_KEY = '(.*)'$", (site.folder / "mysite/base.py").read_text(encoding="utf-8"), re.M)
    assert secret
    settings.HOIIO = {"PUBLIC_URL": f"https://{HOST}", "SIGNING_KEYS": [secret[1]]}
    return lambda **pass_on: notify_url("sms", pass_on=pass_on)


def longest_url(signed_url: Callable[..., str]) -> str:
    with pytest.warns(UserWarning, match="The notify URL has"):
        return next(url for size in range(3000, 0, -1) if (url := url_or_none(signed_url, size)))


def url_or_none(signed_url: Callable[..., str], size: int) -> str | None:
    try:
        return signed_url(note="x" * size)
    except ValueError:
        return None


STATUS = {"txn_ref": "AA-S-1", "sms_status": "delivered"}
FORM = "txn_ref=AA-S-1&sms_status=delivered"


def stored() -> list[tuple[str | None, str, str, bytes]]:
    return [(row.txn_ref, row.verified_by, row.query, bytes(row.body)) for row in Notification.objects.order_by("pk")]


def test_notification_to_a_signed_url_is_stored(front_door: Site, signed_url: Callable[..., str]) -> None:
    assert front_door.deliver(signed_url(), params=STATUS) == 200
    assert stored() == [("AA-S-1", VerifiedBy.URL, "", FORM.encode())]


# nginx would redirect the last one, if its location ended with a slash.
@pytest.mark.parametrize("path", ["/hoiio/sms/", "/hoiio/sms", "/hoiio/", "/hoiio"])
def test_signed_notification_is_stored(front_door: Site, path: str) -> None:
    assert front_door.deliver(path, params=STATUS, key=TOKEN) == 200
    assert stored() == [("AA-S-1", VerifiedBy.SIGNATURE, "", FORM.encode())]


def test_parameters_in_the_query_are_stored(front_door: Site, signed_url: Callable[..., str]) -> None:
    assert front_door.deliver(signed_url(), params=STATUS, params_in="query") == 200
    assert stored() == [("AA-S-1", VerifiedBy.URL, FORM, b"")]


@pytest.mark.parametrize(("params_in", "query", "body"), [("query", FORM, b""), ("body", "", FORM.encode())])
def test_notify_url_of_4000_characters_is_served(
    front_door: Site, signed_url: Callable[..., str], params_in: str, query: str, body: bytes
) -> None:
    url = longest_url(signed_url)

    assert front_door.deliver(url, params=STATUS, params_in=params_in) == 200
    assert len(url) == MAX_URL_LENGTH
    assert stored() == [("AA-S-1", VerifiedBy.URL, query, body)]


def test_body_of_a_mebibyte_is_stored(front_door: Site, signed_url: Callable[..., str]) -> None:
    body = f"{FORM}&msg=".encode().ljust(LIMIT, b"x")

    assert front_door.deliver(signed_url(), raw=RawRequest(body=body)) == 200
    assert stored() == [("AA-S-1", VerifiedBy.URL, "", body)]


def test_larger_body_is_refused(front_door: Site, signed_url: Callable[..., str]) -> None:
    assert front_door.deliver(signed_url(), raw=RawRequest(body=b"x" * (LIMIT + 1))) == 413
    assert stored() == []


def test_logs_have_no_token(server: Site, signed_url: Callable[..., str]) -> None:
    url = signed_url(note="of this test")
    with server.nginx():
        assert server.deliver(url, params=STATUS) == 200
        assert server.deliver(url[:-3] + "/", params=STATUS) == 403

    logs = {path.name: path.read_text(encoding="utf-8") for path in server.folder.glob("*.log")}
    token = url.split("/")[-2]
    assert [part for part in token.split("~") if part in "".join(logs.values())] == []
    assert [line.split()[-4:-2] for line in logs["hoiio.log"].splitlines()[-2:]] == [["POST", "200"], ["POST", "403"]]


PASSES = "1 notification sent and answered with 200."


def rehearse(front_door: Site) -> None:
    """Run the rehearsal of the page."""
    blocks = [block.astext() for block in read(PAGE).findall(docutils.nodes.literal_block)]
    lines = "\n".join(blocks).splitlines()
    to_gunicorn, to_nginx = f"--url http://127.0.0.1:{front_door.gunicorn_port}", f"https://127.0.0.1:{front_door.port}"
    script = [
        line.replace("https://127.0.0.1", to_nginx) if "--url" in line else f"{line} {to_gunicorn}"
        for line in lines
        if "hoiio_trigger" in line
    ]
    variables = [line for line in lines if line.startswith("LONG=")]

    ran = subprocess.run(
        ["bash", "-ec", "\n".join([f'python() {{ "{sys.executable}" "$@"; }}', *variables, *script])],
        cwd=front_door.folder,
        env=front_door.environment(),
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    assert (len(script), ran.stdout.splitlines()[1::2]) == (4, [PASSES] * 4)
    assert Notification.objects.count() == 4


def test_documented_rehearsal_passes(front_door: Site) -> None:
    rehearse(front_door)


def test_documented_rehearsal_passes_with_uvicorn(site: Site) -> None:
    other = replace(site, gunicorn_port=free_port())
    with (site.folder / f"mysite/{other.write_settings('pooled')}.py").open("a", encoding="utf-8") as file:
        file.write(f"\n{POOL}\n")

    with other.gunicorn(UVICORN, "pooled"), other.nginx():
        rehearse(other)
    assert other.checks("pooled") == site.checks()


def test_documented_settings_pass_the_checks(found: set[str]) -> None:
    # Django's own warnings are about cookies, HSTS and the key that startproject has made.
    assert {each for each in found if each.startswith("django_hoiio")} == set()


# Each line left out once: `hoiio_trigger` or `check --deploy` names it, or nginx does not start.

LONG_URL = ["sms_status", "--pass-on", f"x={'x' * 2900}"]
LONG_LINE = [*LONG_URL, "--params-in", "query"]
LONG_BODY = ["sms_status", "--set", f"msg={'x' * 120000}"]
SLOW = ["call_ended", "--pass-on", "seconds=2"]

FAILED = "CommandError: 1 of 1 notifications were not answered with 200. "
ALLOWED_HOST = (
    "400: Add the host to ALLOWED_HOSTS (django_hoiio.W013), and write `proxy_set_header Host $host;` in nginx."
)
BY_HTTPS = (
    "301: Django does not see that the request came by https (django_hoiio.W014). Write SECURE_PROXY_SSL_HEADER ="
    ' ("HTTP_X_FORWARDED_PROTO", "https"), and in nginx `proxy_set_header X-Forwarded-Proto $scheme;`. If --url is http,'
    " add --host."
)
# nginx presents the certificate of the other site.
NOT_VALID = "No answer: The certificate is not valid. Check ssl_certificate and server_name, or add --host."
HARDENED = ["--forwarded-allow-ips", "192.0.2.1"]

# Lines of nginx, the arguments of a rehearsal, and the cause that it names.
NAMED = {
    "server_name my.example.com;": (["sms_status"], NOT_VALID),
    "ssl_certificate /etc/letsencrypt/live/my.example.com/fullchain.pem;": (["sms_status"], NOT_VALID),
    "proxy_set_header Host $host;": (["sms_status"], ALLOWED_HOST),
    "proxy_set_header X-Forwarded-Proto $scheme;": (["sms_status"], BY_HTTPS),
    "proxy_read_timeout 60s;": (
        SLOW,
        "504: The server did not answer nginx within proxy_read_timeout. Limit the waits for the database.",
    ),
    "client_max_body_size 1m;": (LONG_BODY, "413: nginx takes only smaller bodies. Write `client_max_body_size 1m;`."),
    "large_client_header_buffers 4 16k;": (
        LONG_URL,
        "414: nginx takes only shorter URLs. Write `large_client_header_buffers 4 16k;`.",
    ),
    "proxy_pass http://127.0.0.1:8000;": (
        ["sms_status"],
        "404: nginx does not pass it on. Write `proxy_pass http://127.0.0.1:8000;` for its location.",
    ),
}
# The error of `nginx -t`.
REFUSED = {
    "log_format hoiio '$remote_addr [$time_local] $request_method $status $body_bytes_sent $request_time';": (
        'unknown log format "hoiio"'
    ),
    "ssl_certificate_key /etc/letsencrypt/live/my.example.com/privkey.pem;": (
        'no "ssl_certificate_key" is defined for certificate'
    ),
}
# Notifications arrive without them, but tokens get into the log, or the rest of the site is missing.
UNNOTICED = ["location /hoiio {", "access_log /var/log/nginx/hoiio.log hoiio;", "location / {"]
# Without them there is no server.
WHOLE = ["server {", "listen 443 ssl;"]

# Lines of the settings, and the ids of `check --deploy`.
FOUND = {
    "DEBUG = False": {"security.W018"},
    'ALLOWED_HOSTS = ["my.example.com"]': {"security.W020", "django_hoiio.W013"},
    "SECURE_SSL_REDIRECT = True": {"security.W008"},
    'SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")': {"django_hoiio.W014"},
    '"PUBLIC_URL": "https://my.example.com",': {"django_hoiio.W018"},
    '"SPOOL_DIR": "/var/spool/hoiio",': {"django_hoiio.W003"},
}
# A site that only receives needs no account.
UNCHECKED = ["HOIIO = {", '"ACCOUNTS": {"default": {"APP_ID": "…", "ACCESS_TOKEN": "…"}},']


def lines_of(text: str) -> set[str]:
    lines = [line.strip() for line in text.splitlines()]
    return {line for line in lines if line.strip("}") and not line.startswith("#")}


def test_no_line_is_forgotten() -> None:
    assert lines_of(NGINX) == {*NAMED, *REFUSED, *UNNOTICED, *WHOLE}
    assert lines_of(SETTINGS) == {*FOUND, *UNCHECKED}


@pytest.mark.parametrize("line", NAMED)
def test_rehearsal_names_the_missing_line(server: Site, line: str) -> None:
    arguments, cause = NAMED[line]

    with server.nginx(remove(NGINX, line)):
        assert server.trigger(*arguments) == FAILED + cause


@pytest.mark.parametrize("arguments", [LONG_URL, LONG_LINE, LONG_BODY, SLOW], ids=["url", "line", "body", "slow"])
def test_rehearsal_passes_with_every_line(front_door: Site, arguments: list[str]) -> None:
    assert front_door.trigger(*arguments) == PASSES


@pytest.mark.parametrize("line", REFUSED)
def test_nginx_does_not_start_without_the_line(site: Site, line: str) -> None:
    assert site.nginx_refuses(remove(NGINX, line)) == REFUSED[line]


@pytest.mark.parametrize("line", UNNOTICED)
def test_rehearsal_passes_without_the_line(server: Site, line: str) -> None:
    with server.nginx(remove(NGINX, line)):
        assert server.trigger("sms_status") == PASSES


@pytest.mark.parametrize("line", FOUND)
def test_check_finds_the_missing_setting(site: Site, found: set[str], line: str) -> None:
    assert site.checks(site.write_settings("incomplete", without=line)) - found == FOUND[line]


@pytest.mark.parametrize(
    ("line", "options", "cause"),
    [
        ('ALLOWED_HOSTS = ["my.example.com"]', [], ALLOWED_HOST),
        # gunicorn does the same as SECURE_PROXY_SSL_HEADER, if it trusts the address of nginx.
        ('SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")', HARDENED, BY_HTTPS),
    ],
)
def test_rehearsal_names_the_missing_setting(site: Site, line: str, options: list[str], cause: str) -> None:
    other = replace(site, gunicorn_port=free_port())
    settings = other.write_settings("incomplete", without=line)

    with other.gunicorn(f"{GUNICORN} {shlex.join(options)}", settings), other.nginx():
        assert other.trigger("sms_status") == FAILED + cause
        assert other.trigger("sms_status", url=f"http://127.0.0.1:{other.gunicorn_port}") == FAILED + cause


def test_rehearsal_names_the_missing_option_of_gunicorn(site: Site) -> None:
    other = replace(site, gunicorn_port=free_port())

    with other.gunicorn(GUNICORN.replace("--limit-request-line 8190", "")), other.nginx():
        assert other.trigger("sms_status") == PASSES
        assert re.sub("^(.*) 400:", r"\1 414:", other.trigger(*LONG_LINE)) == (
            f"{FAILED}414: The server takes only shorter URLs. Start gunicorn with --limit-request-line 8190."
        )


def test_rehearsal_names_gunicorn_that_is_not_running(site: Site) -> None:
    other = replace(site, gunicorn_port=free_port())

    with other.nginx():
        assert other.trigger("sms_status") == (
            f"{FAILED}502: nginx does not reach the server. Start gunicorn, with the --bind that proxy_pass names."
        )


def test_rehearsal_names_nginx_that_is_not_running(site: Site) -> None:
    assert site.trigger("sms_status") == (
        f"{FAILED}No answer: Is a server running there? Start it, for example with `manage.py runserver`."
    )


def test_rehearsal_names_a_plain_request_to_tls(front_door: Site) -> None:
    assert front_door.trigger("sms_status", url=f"http://127.0.0.1:{front_door.port}") == (
        f"{FAILED}400: nginx expects TLS on this port. Write https:// in --url."
    )
