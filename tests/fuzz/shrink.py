"""A long input made short: remove and simplify while a question is still answered with yes.

Used for findings (does it still fail in the same way?) and for the corpus (does it still reach the same?).
"""

from collections.abc import Callable

type Question = Callable[[bytes], bool]


def shrink(data: bytes, still: Question, questions_max: int = 2_000) -> bytes:
    """Return a short input for which `still` holds, asking at most `questions_max` times.

    Removes pieces of halving length until not even a single byte can go, then turns bytes into plain ones.
    """
    asked = 0

    def ask(candidate: bytes) -> bool:
        nonlocal asked
        asked += 1
        return still(candidate)

    size = max(1, len(data) // 2)
    while asked < questions_max:
        before, at = data, 0
        while at < len(data) and asked < questions_max:
            candidate = data[:at] + data[at + size :]
            if ask(candidate):
                data = candidate
            else:
                at += size
        if size > 1:
            size = max(1, size // 2)
        elif data == before:
            break
    for at in range(len(data)):
        if asked >= questions_max:
            break
        if data[at] not in b"a\r\n " and ask(candidate := data[:at] + b"a" + data[at + 1 :]):
            data = candidate
    return data
