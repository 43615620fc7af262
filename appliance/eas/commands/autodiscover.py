"""Autodiscover as a command: the question of `/autodiscover/autodiscover.xml`, asked of the ActiveSync path.

The same documents as there, made by `appliance.autodiscover`; plain XML both ways, no device, no version.
Source: MS-ASCMD 2.1 Transport, 2.2.1.1 Autodiscover.
"""

import logging

from appliance import autodiscover, logs
from appliance.autodiscover import Host, HostileXml, PoxError
from appliance.eas.context import World
from appliance.eas.request import AUTODISCOVER, Request
from appliance.eas.response import Response
from appliance.items.account import Account

XML = "text/xml; charset=utf-8"
BAD_REQUEST = 400

log = logging.getLogger("appliance.eas")


def answer(request: Request, account: Account, world: World) -> Response:
    """Tell where the account's server is: here; HTTP 400 for what no mail program sends."""
    asked = autodiscover.parse_host(request.host)
    name = world.hostname() or (asked.name if asked else "")
    if not name:
        return Response(status=BAD_REQUEST)
    host = Host(name, asked.port if asked else None)
    try:
        autodiscover.parse_pox(request.body)
    except HostileXml as error:
        logs.event(log, "refused", command=AUTODISCOVER, http=BAD_REQUEST, reason=str(error))
        return Response(status=BAD_REQUEST)
    except PoxError as error:
        refusal = autodiscover.error_document(error, host, world.clock.now())
        return Response(body=refusal, content_type=XML)
    document = autodiscover.mobilesync_document(host, account.address, account.display_name)
    return Response(body=document, content_type=XML)
