"""How the checks of this package ask the DNS: through a function that is handed in.

Owns the shape of that function and nothing else: no socket, no cache, no deadline. Whoever hands it in
bounds the time and the number of questions by raising `LookupFailed`.
"""

from collections.abc import Callable, Sequence

type Lookup = Callable[[str, str], Sequence[str]]
"""Takes a name and a record type; returns the records as text, none when there are none (NXDOMAIN and
NODATA alike), or raises LookupFailed. MX as `10 mx.example.com`; TXT with the strings of a record joined."""


class LookupFailed(Exception):
    """No answer for now: whatever depends on it is a temporary error, never a verdict."""
