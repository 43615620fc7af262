"""Reports of other servers that come by mail: kept once, not filed; what is none goes to a reader."""

import gzip
import json
from email.message import EmailMessage

import pytest

from appliance import db
from appliance.accounts import accounts
from appliance.delivery import inbound, report_mail
from appliance.domains import reports
from appliance.items.envelope import Envelope
from appliance.store import blobs
from tests.unit.mailauth.test_reports import ROW, TLS, dmarc, zipped
from tests.unit.store.mailbox import DOMAIN, HOSTNAME, NOW, account, subjects

DMARC_TO, TLS_TO = f"dmarc-reports@{DOMAIN}", f"tls-reports@{DOMAIN}"


def aggregate(name=DOMAIN):
    row = ROW.format(ip="192.0.2.1", count=3, fate="none", dkim="pass", spf="fail")
    return dmarc(row).replace(b"example.test", name.encode())


def mail(data, filename="report.xml.gz", subtype="gzip"):
    message = EmailMessage()
    message["From"], message["Subject"] = "noreply@receiver.example", "Report domain: x"
    message.set_content("A report is attached.")
    message.add_attachment(data, maintype="application", subtype=subtype, filename=filename)
    return message.as_bytes(policy=message.policy.clone(linesep="\r\n"))


def envelope(*paths, **rest):
    return Envelope(reverse_path="noreply@receiver.example", forward_paths=paths, received_at=NOW, **rest)


@pytest.fixture
def anna(database):
    blobs.configure(database.data_dir)
    accounts.add_domain(DOMAIN)
    return account("anna", is_admin=True)


def kept():
    with db.connection():
        return reports.dmarc(DOMAIN, limit=10), reports.tls(DOMAIN, limit=10)


def test_a_report_is_kept_and_not_filed(anna):
    raw = mail(gzip.compress(aggregate()))
    for _ in range(2):
        left = report_mail.without_reports(envelope(DMARC_TO, anna.address), raw)
        assert left.forward_paths == (anna.address,)
    ((report,), tls) = kept()
    assert (report.passed, report.sources[0]["ip"], tls) == (3, "192.0.2.1", [])


@pytest.mark.parametrize(
    ("raw", "to"),
    [
        (mail(zipped(("a.xml", aggregate())), "a.zip", "zip"), DMARC_TO),
        (mail(aggregate(), "a.xml", "xml"), DMARC_TO.upper()),
    ],
    ids=["zip", "plain"],
)
def test_ways_to_pack_one(anna, raw, to):
    assert report_mail.without_reports(envelope(to), raw).forward_paths == ()
    assert len(kept()[0]) == 1


def test_a_tls_report(anna):
    data = gzip.compress(json.dumps(TLS).replace("example.test", DOMAIN).encode())
    assert (
        report_mail.without_reports(envelope(TLS_TO), mail(data, "r.json.gz", "tlsrpt+gzip")).forward_paths
        == ()
    )
    assert [report.failed for report in kept()[1]] == [10]


@pytest.mark.parametrize(
    ("raw", "to", "rest"),
    [
        (b"From: a@b\r\n\r\nhello\r\n", DMARC_TO, {}),
        (mail(gzip.compress(bytes(20_000_000))), DMARC_TO, {}),
        (mail(gzip.compress(aggregate())), TLS_TO, {}),
        (mail(gzip.compress(aggregate())), f"other@{DOMAIN}", {}),
        (mail(gzip.compress(aggregate())), "dmarc-reports@elsewhere.example", {}),
        (mail(gzip.compress(aggregate())), DMARC_TO, {"is_junk": True}),
        (mail(gzip.compress(aggregate())) + b"x" * report_mail.RAW_BYTES_MAX, DMARC_TO, {}),
    ],
    ids=["no report", "a bomb", "the other kind", "another address", "not ours", "junk", "too large"],
)
def test_what_is_no_report_goes_on(anna, raw, to, rest):
    assert report_mail.without_reports(envelope(to, **rest), raw).forward_paths == (to,)
    assert kept() == ([], [])


def test_only_the_newest_are_kept(anna, monkeypatch):
    monkeypatch.setattr(reports, "KEPT_MAX", 3)
    for number in range(5):
        raw = mail(gzip.compress(aggregate().replace(b"1234", str(number).encode())))
        report_mail.without_reports(envelope(DMARC_TO), raw)
    assert sorted(report.report_id for report in kept()[0]) == ["2", "3", "4"]


def test_an_address_that_somebody_has_is_theirs(anna):
    accounts.add_alias(anna.id, DMARC_TO)
    raw = mail(gzip.compress(aggregate()))
    assert report_mail.without_reports(envelope(DMARC_TO), raw).forward_paths == (DMARC_TO,)


def test_a_report_about_somebody_else_s_domain_is_read_and_not_kept(anna):
    raw = mail(gzip.compress(aggregate("elsewhere.example")))
    assert report_mail.without_reports(envelope(DMARC_TO), raw).forward_paths == ()
    assert kept() == ([], [])


def test_delivery_takes_reports_and_gives_the_rest_to_the_administrator(anna):
    inbound.deliver(envelope(DMARC_TO), mail(gzip.compress(aggregate())), hostname=HOSTNAME)
    assert len(kept()[0]) == 1
    inbound.deliver(envelope(DMARC_TO), b"Subject: not a report\r\n\r\nx\r\n", hostname=HOSTNAME)
    assert subjects(anna.id) == ["not a report"]
