"""Likely causes of an answer other than 200, and what to do."""

from __future__ import annotations

from urllib.parse import SplitResult, parse_qs, urlsplit

from .delivery import Answer, Delivery

_PRINTED = "Give Hoiio the URLs that `manage.py hoiio_urls` prints."
_NOT_PASSED_ON = "nginx does not pass it on. Write `proxy_pass http://127.0.0.1:8000;` for its location."
_SHORT_LINE = "The server takes only shorter URLs. Start gunicorn with --limit-request-line 8190."
_LOST = "The worker was killed, or the port expects https; see the server's log."
_EXEMPT = "Exempt the path of django_hoiio.urls there."

# By the status, or the exception if there is no answer, and a clue: `nginx` if the page is nginx's own, `app` if it is
# empty, `line` if gunicorn finds the URL too long, or where a redirect leads. Without a clue: any other answer.
_CAUSES = {
    "redirect nginx": "nginx redirects it. Write --url https://127.0.0.1, and remove redirects from its server block.",
    "redirect https": (
        "Django does not see that the request came by https (django_hoiio.W014). Write SECURE_PROXY_SSL_HEADER ="
        ' ("HTTP_X_FORWARDED_PROTO", "https"), and in nginx `proxy_set_header X-Forwarded-Proto $scheme;`. If --url is'
        " http, add --host."
    ),
    "redirect www": f"PREPEND_WWW redirects it. Put www. before the host in HOIIO['PUBLIC_URL']. {_PRINTED}",
    "redirect slash": f"APPEND_SLASH redirects it (django_hoiio.W017). {_PRINTED}",
    "redirect login": f"A middleware requires a login. {_EXEMPT}",
    "redirect": "It leads to another URL, and Hoiio does not follow. Remove the redirect of this path.",
    "400 nginx": "nginx expects TLS on this port. Write https:// in --url.",
    "400 app": "The body did not arrive completely; see the server's log.",
    "400 line": _SHORT_LINE,
    "400": "Add the host to ALLOWED_HOSTS (django_hoiio.W013), and write `proxy_set_header Host $host;` in nginx.",
    "403 app": "It could not be verified. Give the server the same HOIIO['SIGNING_KEYS'], or else SECRET_KEY.",
    "403": f"A proxy or a middleware refuses it; the app itself is exempt from CSRF. {_EXEMPT}",
    "404 nginx": _NOT_PASSED_ON,
    "404": 'The URLs are not included there (django_hoiio.W015). Write path("hoiio/", include("django_hoiio.urls")).',
    "405 nginx": _NOT_PASSED_ON,
    "405": "Another view answers at this path. Include django_hoiio.urls before it.",
    "411": "The server cannot read a chunked body. Write `proxy_request_buffering on;` in nginx.",
    "413 nginx": "nginx takes only smaller bodies. Write `client_max_body_size 1m;`.",
    "413": "The body exceeds 1 MiB, or a smaller limit of a proxy.",
    "414 nginx": "nginx takes only shorter URLs. Write `large_client_header_buffers 4 16k;`.",
    "414": _SHORT_LINE,
    "500": "Something outside of the app raised, usually a middleware; see the server's log.",
    "502": "nginx does not reach the server. Start gunicorn, with the --bind that proxy_pass names.",
    "503 nginx": "nginx limits the requests. Remove limit_req and limit_conn for this path.",
    "503": "The database and the spool failed, or a transaction was open (django_hoiio.W016); see the server's log.",
    "504": "The server did not answer nginx within proxy_read_timeout. Limit the waits for the database.",
    "ConnectionRefusedError": "Is a server running there? Start it, for example with `manage.py runserver`.",
    "TimeoutError": "Each worker is busy, or waits for the database. Limit the waits; see the server's log.",
    "RemoteDisconnected": _LOST,
    "ConnectionResetError": _LOST,
    "SSLCertVerificationError": "The certificate is not valid. Check ssl_certificate and server_name, or add --host.",
    "SSLError": "The port has no TLS. Write http:// in --url.",
}


def cause_of(answer: Answer | str, delivery: Delivery) -> str:
    """Return the likely cause of the answer to a delivery, or of the exception of this name."""
    if isinstance(answer, str):
        return f"No answer: {_CAUSES.get(answer, 'Correct --url, or see the log of the server.')}"
    status = "redirect" if 300 <= answer.status < 400 else str(answer.status)
    cause = _CAUSES.get(f"{status} {_clue(answer, delivery)}") or _CAUSES.get(status, "See the server's log.")
    return f"{answer.status}: {cause}"


def _clue(answer: Answer, delivery: Delivery) -> str:
    if "<center>nginx" in answer.page:
        return "nginx"
    if answer.location:
        return _destination(urlsplit(answer.location), urlsplit(delivery.url), delivery.host)
    # Older versions of gunicorn answer 400 instead of 414.
    if "Request Line is too large" in answer.page:
        return "line"
    return "" if answer.page else "app"


def _destination(to: SplitResult, sent: SplitResult, host: str) -> str:
    if to.netloc == f"www.{host or sent.netloc}":
        return "www"
    if to.path == sent.path:
        return "https" if to.scheme == "https" else ""
    if to.path == f"{sent.path}/":
        return "slash"
    return "login" if "next" in parse_qs(to.query) else ""
