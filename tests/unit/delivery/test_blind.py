"""Who receives a message as a blind copy, and who only does not find their name in it."""

import pytest

from appliance.accounts import accounts, groups
from appliance.delivery import inbound
from appliance.items.account import Account
from appliance.items.folder import FolderType
from appliance.items.group import Senders
from appliance.store import folders, messages
from tests.unit.delivery.test_submission import letter, submit
from tests.unit.store.mailbox import DOMAIN, HOSTNAME, envelope, listing

BODY = b"Subject: plan\r\n\r\nhello\r\n"


def is_blind(account: Account, head: str, *paths: str) -> bool:
    raw = head.replace("\n", "\r\n").encode() + BODY
    inbound.deliver(envelope(*paths), raw, hostname=HOSTNAME)
    return listing(account.id)[0].received_as_bcc


@pytest.mark.parametrize(
    ("head", "blind"),
    [
        (f"To: anna@{DOMAIN}\n", False),
        (f"To: x@example.net\nCc: Anna <ANNA@{DOMAIN.upper()}>\n", False),
        ("To: x@example.net\n", True),
        ("To: undisclosed-recipients:;\n", True),
        ("", True),
        (f"To: info@{DOMAIN}\n", False),  # another address of the same account
        (f"To: anna+news@{DOMAIN}\n", False),
        (f"To: x@example.net\nResent-To: anna@{DOMAIN}\n", False),
        ("To: list@example.net\nList-Id: <list.example.net>\n", False),
        ("To: all@example.net\nPrecedence: bulk\n", False),
        ("To: anna\n", True),  # a name, no address
    ],
)
def test_a_blind_copy_is_one_that_the_header_does_not_explain(anna: Account, head: str, blind: bool) -> None:
    accounts.add_alias(anna.id, f"info@{DOMAIN}")
    assert is_blind(anna, head, "anna") is blind


def test_each_recipient_has_their_own_answer(anna: Account, ben: Account) -> None:
    raw = f"To: anna@{DOMAIN}\r\n".encode() + BODY
    inbound.deliver(envelope("anna", "ben"), raw, hostname=HOSTNAME)
    assert [listing(each.id)[0].received_as_bcc for each in (anna, ben)] == [False, True]


def test_a_message_keeps_it_when_it_is_moved(anna: Account) -> None:
    assert is_blind(anna, "To: x@example.net\n", "anna")
    archive = folders.create(anna.id, 0, "Old", FolderType.USER_MAIL).id
    messages.move(anna.id, listing(anna.id)[0].id, archive)
    assert listing(anna.id, archive)[0].received_as_bcc


def test_mail_of_our_own_users(anna: Account, ben: Account) -> None:
    submit(anna, letter("Plan", "carl@example.net", bcc=ben.address))
    assert listing(ben.id)[0].received_as_bcc


@pytest.mark.parametrize("named", [True, False])
def test_what_comes_through_a_group_is_nobody_s_blind_copy(anna: Account, named: bool) -> None:
    groups.create(f"office@{DOMAIN}", senders=Senders.ANYONE)
    groups.add_members(f"office@{DOMAIN}", [anna.address])
    head = f"To: office@{DOMAIN}\n" if named else "To: x@example.net\n"
    assert not is_blind(anna, head, "office")
