"""A calendar that came by mail: what it invites to, every answer to it, one of its occurrences.

Nothing raises, whatever is written. An answer can be read again and is about the same meeting; an occurrence
does not recur; no line is longer than it may be.
"""

from datetime import UTC, datetime, timedelta

from appliance.ical.answer import Answer, Participation, write_answer
from appliance.ical.invitation import UID_LENGTH_MAX, Person, read_invitation
from appliance.ical.occurrences import occurrence, occurs_at
from appliance.ical.reading import read
from tests.fuzz.coverage import note

LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
COVERS = ("appliance/ical",)
BYTES_MAX = 8_192
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANNA = Person("Anna, the first", "anna@example.com")
HEAD = (
    b"BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:one@x.example\nORGANIZER;CN=Jo:mailto:jo@x.example\n"
)
TAIL = b"END:VEVENT\nEND:VCALENDAR\n"
TOKENS = (
    b"DTSTART:20260310T080000Z\n", b"DTSTART;VALUE=DATE:00010101\n", b"DTSTART:99991231T235959Z\n",
    b"DTSTART;TZID=Europe/Berlin:20260310T090000\n", b"DTSTART;TZID=Z:20260310T090000\n",
    b"DTEND:", b"DURATION:",
    b"PT1H", b"-P9999W", b"P99999D", b"RRULE:FREQ=DAILY;COUNT=3\n",
    b"RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU\n",
    b"RRULE:FREQ=MONTHLY;BYDAY=-1TU;UNTIL=99991231T235959Z\n", b"RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29\n",
    b"EXDATE:20260311T080000Z,20260312\n", b"RECURRENCE-ID;TZID=Z:20260310T090000\n",
    b"SEQUENCE:3\n", b"SUMMARY:",
    b"ATTENDEE;CN=\"a;b\":mailto:anna@example.com\n",
    b"BEGIN:VTIMEZONE\nTZID:Z\nBEGIN:STANDARD\nTZOFFSETTO:+1800\n"
    b"DTSTART:16010101T020000\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\nEND:VTIMEZONE\n",
    b"X-MS-OLK-ORIGINALSTART:20260310T080000Z\n", b"BEGIN:VEVENT\n", b"END:VEVENT\n", b"\n ", b"\\n",
    b"\xe2\x80\xa8",
)  # fmt: skip


def seeds() -> list[bytes]:
    """Return one event for each token."""
    return [HEAD + TOKENS[0] + token + TAIL for token in TOKENS] + [HEAD + TOKENS[3] + TOKENS[11] + TAIL]


def target(data: bytes) -> None:
    """Read, answer and take apart."""
    text = data.decode("utf-8", "replace")
    invitation = read_invitation(text)
    proposed = (NOW, NOW + timedelta(hours=1))
    for answer in (
        Answer(ANNA, Participation.ACCEPTED, "yes; no\nperhaps"),
        Answer(ANNA, Participation.TENTATIVE, proposed=proposed),
    ):
        written = write_answer(text, answer, NOW)
        assert (written is None) is (invitation is None)
        if written is None or invitation is None:
            return
        assert all(len(line.encode()) <= 75 for line in written.split("\r\n"))
        again = read_invitation(written)
        assert again is not None and again.method == answer.method
        if len(invitation.uid) < UID_LENGTH_MAX:  # a longer one is cut where it is read
            assert again.uid.replace(" ", "") == invitation.uid.replace(" ", "")  # controls are dropped
        assert len(again.attendees) == 1
        found = read(written)
        assert found is not None and len(found.all("VEVENT")) == 1
    for days in (0, 1, 7, 31, 366, 4_000_000):
        start = invitation.start + min(timedelta(days=days), LAST - invitation.start)
        if occurs_at(invitation, start):
            note("occurs")
            one = read_invitation(occurrence(text, start) or "")
            assert one is None or not one.is_series
