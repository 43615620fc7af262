"""The DNS as sender checks ask it: nothing and trouble told apart, and trouble remembered for a while.

A name server that hangs costs the first message its patience and the next ones nothing. Answers are kept
by the resolver itself.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from appliance.mailauth.lookups import Lookup, LookupFailed
from appliance.net.resolver import LookupUnavailable, NameNotFound, NoRecords, Resolver

TROUBLE_S = 60.0
TROUBLES_MAX = 2_000
QUESTIONS_MAX = 60  # for one message, over all checks


class SenderDns:
    """One for the process; `lookup` is the function the checks are given."""

    def __init__(self, resolver: Resolver, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._resolver = resolver
        self._monotonic = monotonic
        self._troubles: OrderedDict[tuple[str, str], float] = OrderedDict()

    def lookup(self, name: str, record_type: str) -> Sequence[str]:
        """Return the records, none when there are none; raises LookupFailed. Blocks."""
        question = (name.lower(), record_type)
        until = self._troubles.get(question)
        if until is not None and self._monotonic() < until:
            raise LookupFailed(f"{name} {record_type}: no answer a moment ago")
        try:
            return self._resolver.resolve(name, record_type)
        except (NameNotFound, NoRecords):
            return ()
        except LookupUnavailable as error:
            self._troubles[question] = self._monotonic() + TROUBLE_S
            self._troubles.move_to_end(question)
            while len(self._troubles) > TROUBLES_MAX:
                self._troubles.popitem(last=False)
            raise LookupFailed(str(error)) from error

    def limited(self, questions_max: int = QUESTIONS_MAX) -> Lookup:
        """Return a lookup for one message, which fails after so many questions."""
        left = questions_max

        def lookup(name: str, record_type: str) -> Sequence[str]:
            nonlocal left
            left -= 1
            if left < 0:
                raise LookupFailed(f"{name} {record_type}: more than {questions_max} questions")
            return self.lookup(name, record_type)

        return lookup
