"""The SMTP envelope of a message, and what is known of the session that brought it.

Source: RFC 5321 2.3.1 Mail Objects.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Who a message is from and for, apart from what its header says.

    reverse_path: "" for the null reverse-path. forward_paths: as accepted, in order. body: "7BIT" or
    "8BITMIME". protocol: the `with` keyword of the Received field (RFC 3848), such as "ESMTPS".
    account_id: the authenticated submitter, None on reception.
    """

    reverse_path: str
    forward_paths: tuple[str, ...]
    received_at: datetime
    smtputf8: bool = False
    body: str = "7BIT"
    size_declared: int | None = None
    client_ip: str = ""
    client_port: int = 0
    helo: str = ""
    protocol: str = "ESMTP"
    tls: str = ""
    account_id: int | None = None
