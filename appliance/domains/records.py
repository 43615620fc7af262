"""The DNS records a domain should have, for its mail to arrive and to be believed.

Says what is wanted; whether it is so is another question. The order is that of their effect: with only the
first ones mail works, with all of them others can rely on it.

Source: RFC 5321 5.1 (MX), RFC 7208 (SPF), RFC 6376 3.6.2 (DKIM), RFC 7489 6 (DMARC), RFC 8461 3.1,
RFC 8460 3 (TLS reports), MS-OXDISCO 3.1.5 (autodiscover).
"""

from dataclasses import dataclass
from typing import Final

from appliance.accounts import accounts, addresses
from appliance.domains import dkim_keys, mta_sts
from appliance.errors import NotFound
from appliance.setup import settings

DMARC_REPORTS: Final = "dmarc-reports"
TLS_REPORTS: Final = "tls-reports"
"""Local parts of the addresses at which others report; what comes there is read by `delivery.report_mail`."""
TEXT_LENGTH_MAX: Final = 255  # of one string of a TXT record


@dataclass(frozen=True, slots=True)
class Record:
    """One record: absolute name without the final dot, type, value as it is read, and what it is good for."""

    name: str
    type: str
    value: str
    purpose: str

    def zone_line(self) -> str:
        """Return the record as a line of a zone file; long texts in several strings."""
        if self.type == "TXT":
            starts = range(0, len(self.value), TEXT_LENGTH_MAX)
            value = " ".join(f'"{self.value[start : start + TEXT_LENGTH_MAX]}"' for start in starts)
        else:
            value = f"{self.value}."
        return f"{self.name}. IN {self.type} {value}"


def wanted(domain: str) -> list[Record]:
    """Return the records of one of our domains. Needs `db.connection()`. Raises NotFound."""
    if not accounts.is_local_domain(domain):
        raise NotFound(f"{domain} is not one of our domains")
    domain, host = addresses.normalise_host(domain), settings.get(settings.HOSTNAME)
    if not host:
        raise NotFound("the server has no name yet; set it up first")
    keys = [key for key in dkim_keys.listed(domain) if key.state != dkim_keys.RETIRED]
    return [
        Record(domain, "MX", f"10 {host}", "mail for the domain comes here"),
        Record(domain, "TXT", "v=spf1 mx -all", "mail from the domain comes from here only (SPF)"),
        *(Record(key.name, "TXT", key.record, f"the {key.state} key of signatures (DKIM)") for key in keys),
        Record(
            f"_dmarc.{domain}",
            "TXT",
            f"v=DMARC1; p=none; rua=mailto:{DMARC_REPORTS}@{domain}",
            "others tell us what they see of mail from the domain (DMARC)",
        ),
        Record(f"autodiscover.{domain}", "CNAME", host, "phones find the server by an address"),
        Record(f"mta-sts.{domain}", "CNAME", host, "where the policy for TLS is"),
        Record(f"_mta-sts.{domain}", "TXT", mta_sts.record(domain), "others insist on TLS (MTA-STS)"),
        Record(
            f"_smtp._tls.{domain}",
            "TXT",
            f"v=TLSRPTv1; rua=mailto:{TLS_REPORTS}@{domain}",
            "others tell us when TLS fails",
        ),
    ]
