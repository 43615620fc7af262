"""Which outgoing mail goes first when not everything can go at once. Values only."""

from enum import IntEnum


class Priority(IntEnum):
    """Kept with each entry; the lowest number is claimed first."""

    MAIL = 0  # what a person wrote to somebody
    AUTOMATIC = 1  # reports, automatic replies: nobody waits for them
    BULK = 2  # the same to many
