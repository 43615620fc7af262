"""The CSV file of `appliance user import`: lines of address, password, name."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import InvalidInput

FILE_BYTES_MAX = 10_000_000


@dataclass(frozen=True, slots=True)
class Person:
    """One line of the import; `error` says why it cannot be used."""

    line: int
    address: str = ""
    password: str = ""
    name: str = ""
    error: str = ""


def people_in(file: Path) -> Iterator[Person]:
    """Yield the lines of a CSV file; raises InvalidInput when it is not one."""
    if file.stat().st_size > FILE_BYTES_MAX:
        raise InvalidInput(f"{file} is larger than {FILE_BYTES_MAX} bytes")
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:  # spreadsheets write a byte order mark
            reader = csv.reader(stream, strict=True)
            for fields in reader:
                if fields and not (reader.line_num == 1 and fields[0].strip().casefold() == "address"):
                    yield _person(reader.line_num, fields)
    except UnicodeDecodeError:
        raise InvalidInput(f"{file} is not UTF-8 text") from None
    except csv.Error as error:
        raise InvalidInput(f"{file} line {reader.line_num}: {error}") from None


def _person(line: int, fields: list[str]) -> Person:
    if len(fields) not in (2, 3):
        return Person(line, fields[0], error=f"{len(fields)} fields instead of address,password,name")
    return Person(line, fields[0].strip(), fields[1], fields[2].strip() if len(fields) == 3 else "")
