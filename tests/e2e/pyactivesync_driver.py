"""Runs in the environment of pyactivesync and nothing of ours: one line of JSON in, one line out.

The first line says how to sign in; every other one names a method of the client and its arguments. What the
library answers goes back as it is (bytes as Latin-1), or as {"error": …}. Imports nothing of the project.
"""

import dataclasses
import enum
import importlib
import json
import sys
import warnings
from email.message import EmailMessage
from typing import Any

MESSAGES = ("send_mail", "create_email_draft")
CHANGES = "apply_email_changes"


def main() -> None:
    """Answer lines until the input ends."""
    library = importlib.import_module("pyactivesync")
    warnings.simplefilter("ignore")  # the certificate is self-signed, and every request would say so
    client = library.Client(**json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"answer": call(library, client, asked["method"], asked["arguments"], asked["options"])}
        except Exception as error:  # noqa: BLE001 - whatever it is, the test is told
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer, default=plain), flush=True)


def call(library: Any, client: Any, method: str, arguments: list[Any], options: dict[str, Any]) -> Any:
    """Call one method, with the library's own types in place of plain ones."""
    if method in MESSAGES:
        arguments[-1] = message(**arguments[-1])
    if method == CHANGES:
        arguments[-1] = [library.EmailChange(**change) for change in arguments[-1]]
    if method == "set_oof":
        arguments[0] = library.OofState(arguments[0])
    if "body_type" in options and method == "fetch_item":
        options["body_type"] = library.BodyType(options["body_type"])
    return getattr(client, method)(*arguments, **options)


def message(*, to: str, subject: str, text: str, attachment: str | None = None) -> EmailMessage:
    """Return a message as a user of the library would build it."""
    made = EmailMessage()
    made["To"], made["Subject"] = to, subject
    made.set_content(text)
    if attachment is not None:
        made.add_attachment(
            attachment.encode("latin-1"), maintype="application", subtype="x-check", filename="check.bin"
        )
    return made


def plain(value: Any) -> Any:
    """Return what JSON can hold of a value of the library."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, bytes):
        return value.decode("latin-1")
    raise TypeError(type(value).__name__)


if __name__ == "__main__":
    main()
