"""The golden messages in tests/vectors/mime: NNN-name.eml and what it means in NNN-name.json."""

import json
from pathlib import Path
from typing import Any

from appliance.mime.body import html_body, plain_body
from appliance.mime.message import summarise
from appliance.mime.scan import scan
from appliance.mime.structure import attachment_name

FOLDER = Path(__file__).parents[2] / "vectors" / "mime"


def messages() -> list[Path]:
    """Return the golden messages in order."""
    return sorted(FOLDER.glob("*.eml"))


def expected(message: Path) -> dict[str, Any]:
    """Return what the golden file says about a message."""
    meaning: dict[str, Any] = json.loads(message.with_suffix(".json").read_text("utf-8"))
    return meaning


def meaning(raw: bytes) -> dict[str, Any]:
    """Return what this package makes of a message, in the shape of the golden files (absent: the default)."""
    structure = scan(raw)
    summary = summarise(raw, structure)
    columns = {name: getattr(summary, name) for name in type(summary).__dataclass_fields__}
    columns["date"] = summary.date.isoformat() if summary.date else None
    columns["references"] = list(summary.references)
    del columns["is_text_complete"]
    return {
        "parts": [f"{part.number} {part.content_type} {part.size}" for part in structure.parts],
        "text_parts": list(structure.text_parts),
        "html_parts": list(structure.html_parts),
        "attachments": [
            f"{part.number} {attachment_name(part)}{' inline' if structure.is_inline(part.number) else ''}"
            for part in structure.attachment_parts()
        ],
        "smime": structure.smime,
        "report_type": structure.report_type,
        "calendar_part": structure.calendar_part,
        "defects": list(structure.defects),
        "plain_body": plain_body(raw, structure),
        "html_body": html_body(raw, structure),
        **{
            name: value
            for name, value in columns.items()
            if value not in ("", None, [], False) and name != "text"
        },
    }
