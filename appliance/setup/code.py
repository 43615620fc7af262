"""The one-time code that proves that whoever opens the wizard also sees the machine's console.

80 random bits in four groups, of letters that cannot be taken for one another; only the digest is
stored. A new code voids the one before; finishing the setup voids it for good.
Source of the alphabet: Crockford's base 32 (no I, L, O, U).
"""

import hashlib
import hmac
import secrets

from appliance import db
from appliance.setup import settings

BITS = 80
GROUP = 4
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD = str.maketrans("OIL", "011", "- \t\r\n")
TYPED_LENGTH_MAX = 100


def make() -> str:
    """Return a new code, such as `7KQ2-M0XD-9WBR-4HTC`, and store its digest; older ones are void."""
    number = secrets.randbits(BITS)
    letters = "".join(ALPHABET[number >> shift & 31] for shift in range(BITS - 5, -1, -5))
    settings.put(settings.SETUP_CODE_DIGEST, _digest(letters))
    return "-".join(letters[at : at + GROUP] for at in range(0, len(letters), GROUP))


def is_right(typed: str) -> bool:
    """Say whether this is the code in force, however it is grouped or capitalised."""
    with db.connection():
        wanted = settings.get(settings.SETUP_CODE_DIGEST)
    letters = typed[:TYPED_LENGTH_MAX].upper().translate(_MISREAD)
    return hmac.compare_digest(_digest(letters), wanted) if wanted else False


def void() -> None:
    """Accept no code any more."""
    settings.remove(settings.SETUP_CODE_DIGEST)


def _digest(letters: str) -> str:
    # 80 random bits need no slow hash: there is no dictionary of them.
    return hashlib.sha256(letters.encode("utf-8", "surrogatepass")).hexdigest()
