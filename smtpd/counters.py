"""The metrics of this edge, in one place because several of its modules count the same things."""

from appliance.metrics import BYTES, counter, gauge, histogram

CONNECTIONS = counter(
    "appliance_smtp_connections_total",
    "Connections by port and outcome (served, refused_total, refused_address, _network, _rate).",
    ["port", "outcome"],
)
OPEN_CONNECTIONS = gauge("appliance_smtp_connections_open", "Connections open now, by port.", ["port"])
MESSAGES = counter(
    "appliance_smtp_messages_total",
    "Messages at the end of data by port and outcome (accepted, refused, temporary).",
    ["port", "outcome"],
)
MESSAGE_BYTES = histogram(
    "appliance_smtp_message_bytes", "Size of accepted messages.", ["port"], buckets=BYTES
)
REFUSALS = counter(
    "appliance_smtp_refusals_total",
    "Commands and messages refused, by port and reason.",
    ["port", "reason"],
)
LOGINS = counter(
    "appliance_smtp_logins_total", "AUTH by port and outcome (right, wrong, later).", ["port", "outcome"]
)
HANDSHAKES = counter(
    "appliance_smtp_tls_handshakes_total",
    "TLS handshakes by port and outcome (ok, failed).",
    ["port", "outcome"],
)
DISCONNECTS = counter(
    "appliance_smtp_disconnects_total",
    "How connections ended, by port (quit, lost, timeout, too_slow, unread, refused, shutdown, error).",
    ["port", "how"],
)
CHECKS = counter(
    "appliance_smtp_checks_total",
    "Checks of strangers' messages (spf, dkim, dmarc, arc, iprev) by result.",
    ["check", "result"],
)
SCREENED = counter(
    "appliance_smtp_screened_total",
    "Strangers' messages by what the checks made of them (inbox, junk, refused, later).",
    ["action"],
)
BLOCKLISTS = counter(
    "appliance_smtp_blocklists_total",
    "Questions to block lists by answer (listed, not_listed, no_answer, unusable).",
    ["zone", "answer"],
)
RELAY_ATTEMPTS = counter(
    "appliance_smtp_relay_attempts_total",
    "Attempts to relay to one recipient by outcome (delivered, retry, failed).",
    ["outcome"],
)
RELAY_SECONDS = histogram(
    "appliance_smtp_relay_seconds",
    "Time of one attempt, DNS and connecting included.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0),
)
RELAY_TLS = counter(
    "appliance_smtp_relay_tls_total", "Connections to other servers by protection (tls, plain).", ["how"]
)
RELAY_CONNECTIONS = counter(
    "appliance_smtp_relay_connections_total",
    "Connections to other servers, one for each message, by how they were had (new, reused).",
    ["how"],
)
RELAY_POLICY = counter(
    "appliance_smtp_relay_policy_total",
    "Connections under a policy (tlsa, sts) by whether they were as it demands (ok, failed).",
    ["policy", "outcome"],
)
