"""The server session's state machine as data: phases, the commands each allows, and every move.

Owns what may follow what (RFC 5321 4.1.4 Order of Commands; RFC 3207 and RFC 4954 for TLS and AUTH).
`server.py` is the only module that moves, always through `MOVES`; a pair missing there is a bug.

    CONNECTED ─BANNER─► FRESH ─HELLO─► READY ─MAIL─► MAIL ─RCPT─► RCPT ─DATA─► DATA
                          ▲             │ ▲           │             │            │
              TLS_DONE ── TLS ◄──TLS────┤ └───────────┴───RESET─────┴────RESET───┘
                                   AUTH ⇄ AUTH/AUTH_DONE                any ─CLOSE─► CLOSED
    BDAT: DATA for the octets of each chunk, CHUNKS between two of them.
"""

from enum import Enum, auto

from appliance.smtp.reply import Reply


class Phase(Enum):
    """Where a session stands."""

    CONNECTED = auto()  # no banner sent
    FRESH = auto()  # banner sent, or TLS just begun: nothing known about the client
    READY = auto()  # client has said hello; no transaction
    AUTH = auto()  # the next line is a SASL response
    MAIL = auto()  # reverse path accepted
    RCPT = auto()  # at least one recipient accepted
    DATA = auto()  # message octets follow
    CHUNKS = auto()  # between two chunks of a message
    TLS = auto()  # 220 sent: the octets belong to the handshake
    CLOSED = auto()


class Move(Enum):
    """What changes a phase."""

    BANNER = auto()
    HELLO = auto()
    TLS = auto()
    TLS_DONE = auto()
    AUTH = auto()
    AUTH_DONE = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    CHUNK = auto()
    RESET = auto()
    CLOSE = auto()


_LISTENING = (Phase.FRESH, Phase.READY, Phase.MAIL, Phase.RCPT, Phase.CHUNKS)

MOVES: dict[tuple[Phase, Move], Phase] = {
    (Phase.CONNECTED, Move.BANNER): Phase.FRESH,
    **{(phase, Move.HELLO): Phase.READY for phase in _LISTENING},
    (Phase.READY, Move.TLS): Phase.TLS,
    (Phase.TLS, Move.TLS_DONE): Phase.FRESH,
    (Phase.READY, Move.AUTH): Phase.AUTH,
    (Phase.AUTH, Move.AUTH_DONE): Phase.READY,
    (Phase.READY, Move.MAIL): Phase.MAIL,
    (Phase.MAIL, Move.RCPT): Phase.RCPT,
    (Phase.RCPT, Move.RCPT): Phase.RCPT,
    (Phase.RCPT, Move.DATA): Phase.DATA,
    (Phase.DATA, Move.CHUNK): Phase.CHUNKS,
    (Phase.CHUNKS, Move.DATA): Phase.DATA,
    (Phase.FRESH, Move.RESET): Phase.FRESH,
    **{(phase, Move.RESET): Phase.READY for phase in (*_LISTENING[1:], Phase.DATA)},
    **{(phase, Move.CLOSE): Phase.CLOSED for phase in Phase},
}

LEGAL_PHASES: dict[str, frozenset[Phase]] = {
    "EHLO": frozenset(_LISTENING),
    "HELO": frozenset(_LISTENING),
    "STARTTLS": frozenset({Phase.READY}),
    "AUTH": frozenset({Phase.READY}),
    "MAIL": frozenset({Phase.READY}),
    "RCPT": frozenset({Phase.MAIL, Phase.RCPT}),
    "DATA": frozenset({Phase.RCPT}),
    "BDAT": frozenset(_LISTENING),  # its octets follow whether it is in place or not: it sees for itself
    "RSET": frozenset(_LISTENING),
    "NOOP": frozenset(_LISTENING),
    "VRFY": frozenset(_LISTENING),
    "EXPN": frozenset(_LISTENING),
    "HELP": frozenset(_LISTENING),
    "QUIT": frozenset(_LISTENING),
}

# The first words of other protocols: a browser or proxy made to talk to this port. Every further line is
# under the control of whoever made it do so, hence the session ends.
FOREIGN_VERBS = frozenset({"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "USER", "HOST:"})


def sequence_error(verb: str, phase: Phase) -> Reply:
    """Return the 503 (or 554 for DATA without recipients) that says what is missing. RFC 5321 4.1.4."""
    if phase is Phase.FRESH:
        return Reply(503, "5.5.1", "Say EHLO first")
    if phase is Phase.CHUNKS:
        return Reply(503, "5.5.1", f"{verb} is not allowed between the chunks of a message")
    if verb == "RCPT":
        return Reply(503, "5.5.1", "MAIL first")
    if verb in ("DATA", "BDAT"):
        if phase is Phase.MAIL:
            return Reply(554, "5.5.1", "No valid recipients")
        return Reply(503, "5.5.1", "MAIL and RCPT first")
    return Reply(503, "5.5.1", f"{verb} is not allowed during a mail transaction")
