"""New inputs out of old ones: damage, repetition, lies about lengths, words of the grammar, splices.

Owns the kinds of change; everything random comes from the one generator that is handed in, so a seed gives
the same inputs again. Leaves to `engine` which input is changed and how often, and to a target's own
`make` inputs that are built instead of damaged.
"""

import re
from collections.abc import Callable, Sequence
from random import Random

NUMBERS = (0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 63, 64, 100, 127, 128, 255, 256, 512, 998, 1000, 4096, 32767,
           32768, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 10**20)  # fmt: skip
BLOCK_BYTES_MAX = 64
STRETCH_TIMES_MAX = 4_096

_DIGITS = re.compile(rb"[0-9]{1,20}")
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")


class Mutator:
    """Changes inputs; `tokens` are the words of the grammar, `bytes_max` the longest result."""

    def __init__(self, rng: Random, tokens: Sequence[bytes], bytes_max: int) -> None:
        self._rng = rng
        self._tokens = list(tokens) or [b"\0"]
        self._bytes_max = bytes_max
        self._kinds: list[Callable[[bytes], bytes]] = [
            self.flip, self.flip, self.put, self.put, self.insert, self.token, self.token, self.token,
            self.overwrite, self.cut, self.cut, self.repeat, self.move, self.swap, self.lie, self.lie,
            self.lie_in_a_byte, self.line, self.line, self.truncate, self.case,
        ]  # fmt: skip

    def mutate(self, data: bytes, others: Sequence[bytes]) -> bytes:
        """Return a changed copy; now and then spliced with one of `others`, rarely stretched."""
        rng = self._rng
        if others and rng.random() < 0.15:
            data = self.splice(data, rng.choice(others))
        for _ in range(1 << rng.randrange(4)):
            data = rng.choice(self._kinds)(data)[: self._bytes_max]
        if rng.random() < 0.02:
            data = self.stretch(data)
        return data[: self._bytes_max]

    def splice(self, data: bytes, other: bytes) -> bytes:
        """Return a piece of one between pieces of the other."""
        at, until = self._span(data, len(data))
        start, stop = self._span(other, len(other))
        return data[:at] + other[start:stop] + data[until:]

    def flip(self, data: bytes) -> bytes:
        if not data:
            return data
        at = self._rng.randrange(len(data))
        return data[:at] + bytes((data[at] ^ 1 << self._rng.randrange(8),)) + data[at + 1 :]

    def put(self, data: bytes) -> bytes:
        at, until = self._span(data, 4)
        return data[:at] + self._rng.randbytes(until - at) + data[until:]

    def insert(self, data: bytes) -> bytes:
        at = self._rng.randrange(len(data) + 1)
        return data[:at] + self._rng.randbytes(self._rng.randint(1, 4)) + data[at:]

    def token(self, data: bytes) -> bytes:
        at = self._rng.randrange(len(data) + 1)
        return data[:at] + self._rng.choice(self._tokens) + data[at:]

    def overwrite(self, data: bytes) -> bytes:
        token = self._rng.choice(self._tokens)
        at = self._rng.randrange(len(data) + 1)
        return data[:at] + token + data[at + len(token) :]

    def cut(self, data: bytes) -> bytes:
        at, until = self._span(data, BLOCK_BYTES_MAX)
        return data[:at] + data[until:]

    def repeat(self, data: bytes) -> bytes:
        at, until = self._span(data, BLOCK_BYTES_MAX)
        return data[:until] + data[at:until] * self._rng.randint(1, 4) + data[until:]

    def move(self, data: bytes) -> bytes:
        at, until = self._span(data, BLOCK_BYTES_MAX)
        rest = data[:at] + data[until:]
        to = self._rng.randrange(len(rest) + 1)
        return rest[:to] + data[at:until] + rest[to:]

    def swap(self, data: bytes) -> bytes:
        at, until = self._span(data, BLOCK_BYTES_MAX)
        start, stop = self._span(data[until:], BLOCK_BYTES_MAX)
        start, stop = start + until, stop + until
        return data[:at] + data[start:stop] + data[until:start] + data[at:until] + data[stop:]

    def lie(self, data: bytes) -> bytes:
        """Put another number where one is written in digits: a length, a size, a section number."""
        found = list(_DIGITS.finditer(data))
        if not found:
            return self.lie_in_a_byte(data)
        match = self._rng.choice(found)
        value = self._rng.choice((*NUMBERS, -1, int(match.group()) + 1, int(match.group()) * 2))
        return data[: match.start()] + b"%d" % value + data[match.end() :]

    def lie_in_a_byte(self, data: bytes) -> bytes:
        """Change one byte to a near or extreme value, or write a number over it in a binary form."""
        if not data:
            return data
        rng, at = self._rng, self._rng.randrange(len(data))
        value = rng.choice(((data[at] + 1) % 256, (data[at] - 1) % 256, 0, 1, 127, 128, 255))
        number = rng.choice(NUMBERS) % 2**32
        forms = (
            bytes((value,)),
            bytes((value,)),
            number.to_bytes(4, "little"),
            number.to_bytes(4, "big"),
            (number % 65536).to_bytes(2, "little"),
            _multi_byte(number),
        )
        return data[:at] + rng.choice(forms) + data[at + 1 :]

    def line(self, data: bytes) -> bytes:
        """Drop, repeat or swap whole lines, or end one differently."""
        lines = _LINE.findall(data)
        if not lines:
            return data
        rng, at = self._rng, self._rng.randrange(len(lines))
        other = rng.randrange(len(lines))
        match rng.randrange(5):
            case 0:
                del lines[at]
            case 1:
                lines.insert(other, lines[at])
            case 2:
                lines[at], lines[other] = lines[other], lines[at]
            case 3:
                lines[at] = lines[at].rstrip(b"\r\n") + rng.choice((b"\n", b"\r", b"\r\n", b"\r\r\n", b""))
            case _:
                lines[at] = b" " + lines[at]
        return b"".join(lines)

    def truncate(self, data: bytes) -> bytes:
        return data[: self._rng.randrange(len(data) + 1)]

    def case(self, data: bytes) -> bytes:
        at, until = self._span(data, 16)
        return data[:at] + data[at:until].swapcase() + data[until:]

    def stretch(self, data: bytes) -> bytes:
        """Repeat a short piece very often: what is not linear shows itself in the time."""
        at, until = self._span(data, 24)
        times = self._rng.randint(1, STRETCH_TIMES_MAX)
        return data[:at] + data[at:until] * times + data[until:]

    def _span(self, data: bytes, longest: int) -> tuple[int, int]:
        """Return the ends of a random piece, mostly a short one."""
        at = self._rng.randrange(len(data) + 1)
        longest = self._rng.choice((4, 16, longest))
        return at, min(len(data), at + self._rng.randint(0, longest))


def _multi_byte(value: int) -> bytes:
    """Return a number with seven bits in each byte, as WBXML writes lengths."""
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(value & 0x7F | 0x80)
    return bytes(reversed(digits))
