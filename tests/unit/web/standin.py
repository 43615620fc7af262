"""A domain of a few lines behind the real web application, for tests of the HTTP edge.

It knows one account (lena@example.com, "right"); other names stand for other outcomes of a login. What a
command does is said by its User parameter: `size:5000`, `hold`, `bug`, …
"""

import gc
import os
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from appliance import bus, metrics
from appliance.accounts.login import AccountDisabled, WrongCredentials
from appliance.accounts.throttle import Throttled
from appliance.eas.request import Request
from appliance.eas.response import Held, Response
from appliance.errors import TemporaryFailure
from appliance.items.account import Account
from web.services import Facts, Offer, Services

LENA = Account(1, "lena@example.com", "Lena", False, True, 1, 0, 0)
TOPIC = bus.account_topic(LENA.id)


def login(
    username: str, password: str, *, protocol: str, device_id: str = "", remote_ip: str = ""
) -> Account:
    """The one account; other names stand for the other outcomes."""
    match username:
        case "disabled@example.com":
            raise AccountDisabled
        case "throttled@example.com":
            raise Throttled(17)
        case "trouble@example.com":
            raise TemporaryFailure("the database is away")
        case "bug@example.com":
            raise RuntimeError("secret detail of a bug")
    if (username, password) != (LENA.address, "right"):
        raise WrongCredentials
    return LENA


def token_login(text: str, *, protocol: str, device_id: str = "", remote_ip: str = "") -> Account:
    """The one account's one token."""
    if (text, protocol) != ("at_right", "eas"):
        raise WrongCredentials
    return LENA


def handle(request: Request, account: Account) -> Response | Held:
    """Do what the User parameter says."""
    what, _, argument = request.user.partition(":")
    match what:
        case "empty":
            return Response()
        case "size":
            return Response(body=b"x" * int(argument))
        case "length":
            return Response(body=str(len(request.body)).encode(), content_type="text/plain")
        case "bug":
            raise RuntimeError("secret detail of a bug")
        case "hold":
            return Held(partial(wait, float(argument or 600)))
        case "hold-bug":
            return Held(fail)
        case "wake":
            bus.publish(TOPIC)
            return Response(body=str(bus.current().watching()).encode(), content_type="text/plain")
        case "held":
            return Response(body=str(bus.current().watching()).encode(), content_type="text/plain")
        case "resident":
            return Response(body=str(resident_bytes()).encode(), content_type="text/plain")
    return Response(body=request.command.encode())


def wait(seconds: float) -> Response:
    """Wait for a hint, a stop or the end of the interval, as a Ping does."""
    with bus.watch((TOPIC,)) as watcher:
        hints = watcher.wait(seconds)
        if watcher.draining:
            return Response(body=b"draining")
        return Response(body=b"changes") if hints else Response()


def fail() -> Response:
    time.sleep(0.05)
    raise RuntimeError("secret detail of a bug")


def resident_bytes() -> int:
    """Return this process's resident memory."""

    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def services() -> Services:
    """Return the stand-in domain."""
    return Services(
        login=login,
        token_login=token_login,
        connection=nullcontext,
        eas_handle=handle,
        eas_offer=Offer(("14.1", "16.1"), ("Sync", "Ping"), "15.2"),
        hostname=lambda: "mail.example.com",
        health=lambda: {"database": True, "bus": True},
        metrics=metrics.render,
        facts=lambda: Facts("0", True, "mail.example.com", ("14.1", "16.1"), "AA:BB", True),
        mta_sts_policy={"mta-sts.example.com": "version: STSv1\r\n"}.get,
    )
