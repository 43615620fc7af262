"""Golden messages: bytes in, the whole meaning out; and the public corpus when it is present."""

from pathlib import Path

import pytest

from appliance.mime.body import decode_leaf, html_body, leaf_text
from appliance.mime.message import summarise
from appliance.mime.scan import scan
from appliance.mime.structure import Structure
from tests.unit.mime import vectors

CORPUS = Path(__file__).parents[4] / "shared" / "corpora" / "eml"
CORPUS_MESSAGES = sorted(CORPUS.glob("*/*.eml"))


@pytest.mark.parametrize("path", vectors.messages(), ids=lambda path: path.stem)
def test_golden_message(path: Path) -> None:
    assert vectors.meaning(path.read_bytes()) == vectors.expected(path)


def test_there_are_golden_messages() -> None:
    assert len(vectors.messages()) >= 22


@pytest.mark.parametrize("path", vectors.messages(), ids=lambda path: path.stem)
def test_line_ends_do_not_change_the_meaning(path: Path) -> None:
    raw = path.read_bytes().replace(b"\r\n", b"\n")
    expected, got = vectors.expected(path), vectors.meaning(raw)
    assert {**got, "parts": None} == {**expected, "parts": None}
    types = [[part.rpartition(" ")[0] for part in meaning["parts"]] for meaning in (got, expected)]
    assert types[0] == types[1]  # sizes of text differ with the line ends


@pytest.mark.skipif(not CORPUS_MESSAGES, reason="the public corpus of messages is not here")
@pytest.mark.parametrize("path", CORPUS_MESSAGES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_public_corpus(path: Path) -> None:
    raw = path.read_bytes()
    structure = scan(raw)
    assert Structure.from_json(structure.to_json()) == structure
    summary = summarise(raw, structure)
    assert summary.preview.isprintable()
    html_body(raw, structure)
    for part in structure.parts:
        assert 0 <= part.header_start <= part.start <= part.end <= len(raw)
        if not part.is_multipart:
            decode_leaf(raw, part)
            leaf_text(raw, part)


@pytest.mark.skipif(not CORPUS_MESSAGES, reason="the public corpus of messages is not here")
def test_well_known_corpus_messages_read_well() -> None:
    nested = (CORPUS / "rfc" / "007.eml").read_bytes()  # the worked example of RFC 8621 4.1.4
    structure = scan(nested)
    assert structure.text_parts == ("1", "2.1.1.1", "2.1.1.3", "3")
    assert structure.html_parts == ("1", "2.1.2.1", "3")
    assert structure.attachments == ("2.1.1.2", "2.1.2.2", "2.2", "2.3", "2.4")
    eudora = (CORPUS / "legacy" / "009.eml").read_bytes()  # raw 8-bit letters inside encoded words
    assert summarise(eudora, scan(eudora)).subject == "Die Hasen und die Frösche"
