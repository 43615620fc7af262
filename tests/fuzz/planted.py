"""Code with bugs on purpose, to show that the fuzzer finds them (tests/unit/test_fuzz.py)."""

from contextlib import suppress

from tests.fuzz.coverage import note


def staircase(data: bytes) -> None:
    """Fail for one word of five letters that no guess finds: each right letter opens one more branch."""
    if len(data) == 0 or data[0] != ord("F"):
        return
    if len(data) == 1 or data[1] != ord("U"):
        return
    if len(data) == 2 or data[2] != ord("Z"):
        return
    if len(data) == 3 or data[3] != ord("Z"):
        return
    if data[4:5] == b"!":
        raise ZeroDivisionError


def counter(data: bytes) -> None:
    """Have states that are no lines of code."""
    note("zeros", min(data.count(0), 6))


def endless(data: bytes) -> None:
    """Never return when told so."""
    while b"loop" in data:
        pass


def stubborn() -> None:
    """Catch every exception there is, and go on."""
    while True:
        with suppress(Exception):
            sum(range(1000))
