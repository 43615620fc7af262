"""Every rule of `tests.grammar`: some answer of the product meets it, and no answer may break it."""

import re
from collections import defaultdict
from dataclasses import dataclass
from email.utils import getaddresses
from itertools import islice
from xml.etree import ElementTree

import pytest

from appliance import bus, db
from appliance.eas.versions import COMMANDS, OFFERED, at_least
from tests.covers import covers, covers_each
from tests.grammar import breaks, check, rules
from tests.grammar.wire import HEADER, Node, read
from tests.unit.eas.answers import Answer, full_set

PLACES = 2
"""How many places of a rule are broken: the smallest answers there are."""
ITEMS = ("AirSync:ApplicationData", "ItemOperations:Properties", "Search:Properties")
ADDRESS = re.compile(r"[^@\s<>]+@[^@\s<>]+")


@dataclass(frozen=True)
class TypeRow:
    """Types of the rules, and as what they travel: an inline string or opaque bytes."""

    types: tuple[str, ...]
    numbers: tuple[int, ...]
    kind: type = str

    @property
    def requirements(self) -> tuple[str, ...]:
        return tuple(f"MS-ASDTYPE_R{number}" for number in self.numbers)

    def __str__(self) -> str:
        return self.types[0]


TYPE_ROWS = [
    TypeRow(("boolean",), (4, 5, 7)),
    TypeRow(("byte", "byteOrEmpty"), (123, 125)),
    TypeRow(("integer", "unsigned", "unsignedOrEmpty", "truncation"), (86, 87)),
    TypeRow(("dateTime",), (12, 15, 16, 20)),
    TypeRow(("string", "text"), (88, 90, 91)),
    TypeRow(("zone", "compact", "address", "base64", "range", "messageClass"), (94,)),
    TypeRow(("bytes", "bytesOrEmpty"), (97, 98), bytes),
    TypeRow(("address",), (99, 100)),
]


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """The full set, made once."""
    data_dir = tmp_path_factory.mktemp("answers")
    before = bus.use(bus.LocalBus())
    db.open("sqlite", data_dir)
    try:
        return full_set(data_dir)
    finally:
        db.close()
        bus.use(before)


@pytest.fixture(scope="module")
def seen(answers):
    """The places of each rule: (answer, node, parent), those in small answers first."""
    found = defaultdict(list)
    for answer in sorted(answers, key=lambda answer: len(answer.body)):
        for rule, node, parent in check.met(answer.root):
            found[rule].append((answer, node, parent))
    return found


def faults(answer: Answer):
    return list(check.faults(answer.root, answer.version or None))


@covers("MS-ASCON_R188", "MS-ASEMAIL_R53")
def test_every_answer_keeps_the_rules(answers):
    assert [(a.command, a.version, list(map(str, faults(a)))) for a in answers if faults(a)] == []


@covers_each("rule", rules.every())
def test_a_rule_is_met_and_cannot_be_broken(seen, rule):
    places = seen[rule]
    labels = {label for answer, _, _ in places for label in (answer.version, answer.command)}
    assert places, "no answer has it"
    assert {where for where, _ in rule.shown if where} <= labels
    chosen = [*places[:PLACES], *islice(filter(lambda place: due(rule, *place), places), 1)]
    if rule.condition:
        assert due(rule, *chosen[-1]), "its condition was never given"
    for answer, node, parent in chosen:
        for what, broken in breaks.broken(answer.root, answer.version, rule, node, parent):
            found = {fault.rule for fault in check.faults(broken, answer.version or None)}
            assert found & {rule, None}, f"{what}: not noticed\n{broken}"
        for version in filter(lambda version: not rule.exists_in(version), OFFERED):
            assert rule in {fault.rule for fault in check.faults(answer.root, version)}, f"not in {version}"
        assert faults(answer) == [], "it was not repaired"


def due(rule, answer, _node, parent):
    return parent is not None and check.least(parent, rule, answer.version or None) > 0


@pytest.mark.parametrize(
    "rule", [r for r in rules.every() if r.type == "seq" and len(r.children) > 1], ids=str
)
def test_the_order_of_children_cannot_be_changed(seen, rule):
    tried = 0
    for answer, node, _ in seen[rule]:
        for what, broken in breaks.swapped(answer.root, rule, node):
            tried += 1
            assert list(check.faults(broken)), f"{what}: not noticed\n{broken}"
        if tried:
            break
    assert tried, "no answer has two different children there"


# --- what is said of many answers at once -----------------------------------------------------------


def nodes(answers, *tags):
    """Return every element with one of these tags in any answer."""
    return [node for answer in answers for node in answer.root.walk() if node.tag in tags]


def shape(node):
    """Return the names in a tree."""
    name = node.tag.partition(":")[2]
    return (name, *map(shape, node.children)) if node.children else name


@covers("MS-ASCMD_R7", "MS-ASHTTP_R169", "MS-ASPROV_R60010", "MS-ASWBXML_R6", "MS-ASWBXML_R8")
@covers("MS-ASCON_R5", "MS-ASCON_R7", "MS-ASEMAIL_R108", "MS-ASEMAIL_R109", "MS-ASEMAIL_R51")
def test_every_command_but_autodiscover_answers_in_wbxml(answers):
    wbxml = [answer for answer in answers if answer.command != "Autodiscover"]
    assert {answer.command for answer in wbxml} >= {*COMMANDS, "GetHierarchy"} - {"GetAttachment"}
    for answer in wbxml:
        assert answer.body.startswith(HEADER), "UTF-8, as every document"
        assert str(read(answer.body)) == str(answer.root)
        again = ElementTree.fromstring(ElementTree.tostring(as_xml(answer.root)))
        assert sum(1 for _ in again.iter()) == sum(1 for _ in answer.root.walk())
    xml = [answer for answer in answers if answer.command == "Autodiscover"]
    assert xml and all(answer.body.startswith(b"<?xml") for answer in xml)


def as_xml(node):
    element = ElementTree.Element(node.tag.partition(":")[2], {"space": node.namespace})
    element.text = node.value if isinstance(node.value, str) else None
    element.extend(map(as_xml, node.children))
    return element


@covers_each("row", TYPE_ROWS)
def test_a_type_travels_as_it_should(answers, seen, row):
    of_type = [rule for rule in rules.every() if rule.type in row.types]
    values = [node.value for rule in of_type for _, node, _ in seen[rule]]
    assert {type(value) for value in values} - {type(None)} == {row.kind}
    for rule in of_type:
        answer, node, _ = seen[rule][0]
        before = node.value
        node.value = "text" if row.kind is bytes else b"\x01bytes"
        assert [fault.rule for fault in faults(answer)] == [rule]
        node.value = before


@covers("MS-ASDTYPE_R8", "MS-ASDTYPE_R9")
def test_a_container_has_no_value_of_its_own(answers, seen):
    for rule in (rule for rule in rules.every() if rule.is_container):
        assert {node.value for _, node, _ in seen[rule]} == {None}
        answer, node, _ = seen[rule][0]
        node.value = "text"
        assert faults(answer)
        node.value = None


@covers(
    "MS-ASAIRS_R59", "MS-ASAIRS_R74", "MS-ASAIRS_R135", "MS-ASAIRS_R148", "MS-ASAIRS_R291", "MS-ASAIRS_R297"
)
def test_no_answer_has_what_only_a_request_may_have(answers):
    names = ("AllOrNone", "BodyPartPreference", "BodyPreference", "TruncationSize")
    assert nodes(answers, *(f"AirSyncBase:{name}" for name in names)) == []


@covers("MS-ASCON_R74", "MS-ASCON_R79", "MS-ASEMAIL_R343", "MS-ASEMAIL_R496")
def test_a_whole_mail_has_its_conversation_and_its_code_page(answers):
    whole = [
        (answer.version, {child.tag for child in node.children})
        for answer in answers
        for node in answer.root.walk()
        if node.tag in ITEMS and any(child.tag == "Email:From" for child in node.children)
    ]
    assert len(whole) > 100
    for version, tags in whole:
        assert "Email:InternetCPID" in tags
        conversation = {"Email2:ConversationId", "Email2:ConversationIndex"} & tags
        assert len(conversation) == (2 if at_least(version, "14.0") else 0)


@covers("MS-ASEMAIL_R330", "MS-ASEMAIL_R710", "MS-ASEMAIL_R786")
def test_addresses_are_addresses(answers):
    for tag in ("Email:To", "Email:Cc", "Email:ReplyTo"):
        values = [node.value for node in nodes(answers, tag) if node.value]
        assert values, tag
        for value in values:
            found = [address for _, address in getaddresses([value])]
            assert found and all(ADDRESS.fullmatch(address) for address in found), value


@covers("MS-ASEMAIL_R399")
def test_display_to_has_names(answers):
    values = {node.value for node in nodes(answers, "Email:DisplayTo")}
    assert "Anna" in {name.strip() for value in values for name in value.split(";")}
    assert not {value for value in values if "<" in value or not value.strip()}


@covers("MS-ASEMAIL_R601", "MS-ASEMAIL_R602", "MS-ASEMAIL_R603")
def test_reports_say_what_they_report(answers):
    classes = {node.value.upper() for node in nodes(answers, "Email:MessageClass")}
    reports = {
        "REPORT.IPM.NOTE.NDR",
        "REPORT.IPM.NOTE.DR",
        "REPORT.IPM.NOTE.DELAYED",
        "REPORT.IPM.NOTE.IPNRN",
    }
    assert {name for name in classes if name.startswith("REPORT")} == reports


@covers("MS-ASEMAIL_R802", "MS-ASEMAIL_R878")
def test_only_voice_mail_says_who_called_and_how_long(answers):
    voice = ("Email2:UmCallerID", "Email2:UmAttDuration", "Email2:UmAttOrder")
    classes = {
        next((child.value for child in node.children if child.tag == "Email:MessageClass"), None)
        for node in nodes(
            answers, "AirSync:ApplicationData", "ItemOperations:Properties", "Search:Properties"
        )
        if any(below.tag in voice for below in node.walk())
    }
    assert classes == {"IPM.Note.Microsoft.Voicemail.UM.CA"}


@covers("MS-ASPROV_R966", "MS-ASPROV_R971")
@pytest.mark.parametrize("version", OFFERED)
def test_a_policy_is_of_the_type_of_wbxml_in_every_version(answers, version):
    policies = nodes([a for a in answers if a.version == version], "Provision:Policy")
    given = [policy for policy in policies if policy.children[-1].tag == "Provision:Data"]
    assert given
    for policy in given:
        assert policy.children[0].value == "MS-EAS-Provisioning-WBXML"
        assert [child.tag for child in policy.children[-1].children] == ["Provision:EASProvisionDoc"]


@covers("MS-ASPROV_R661", "MS-ASPROV_R535")
@pytest.mark.parametrize("version", ["14.1", "16.0", "16.1"])
def test_both_phases_are_answered_in_their_form(answers, version):
    roots = [a.root for a in answers if (a.command, a.version) == ("Provision", version)]
    shapes = {shape(without(root, "Provision:EASProvisionDoc")) for root in roots}
    key = ("PolicyType", "Status", "PolicyKey")
    first = ("Policies", ("Policy", *key, ("Data", "EASProvisionDoc")))
    assert ("Provision", ("DeviceInformation", "Status"), "Status", first) in shapes
    assert ("Provision", "Status", ("Policies", ("Policy", *key))) in shapes


def without(node, tag):
    """Return a tree without what is in elements of this tag."""
    return Node(node.tag, [] if node.tag == tag else [without(child, tag) for child in node.children])


@covers("MS-ASCMD_R3633")
def test_a_part_is_named_only_beside_parts(answers):
    for answer in answers:
        named = {node.value for node in nodes([answer], "ItemOperations:Part")}
        assert named == {str(number) for number in range(1, answer.parts + 1)}
    assert max(answer.parts for answer in answers) > 3


@covers("MS-ASCMD_R3767")
def test_a_response_counts_its_recipients(answers):
    for response in nodes(answers, "ResolveRecipients:Response"):
        (count,) = [c.value for c in response.children if c.tag == "ResolveRecipients:RecipientCount"]
        assert int(count) == sum(c.tag == "ResolveRecipients:Recipient" for c in response.children)


@covers("MS-ASCMD_R38391804")
def test_find_has_one_result_for_each_match(answers):
    totals = set()
    for response in nodes(answers, "Find:Response"):
        total = next((c.value for c in response.children if c.tag == "Find:Total"), "0")
        assert int(total) == sum(c.tag == "Find:Result" for c in response.children)
        totals.add(total)
    assert len(totals) > 2
