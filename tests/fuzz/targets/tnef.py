"""winmail.dat: bytes of which a scan makes leaves, or leaves them the file they are.

Whatever they are, they are read in bounded time; every leaf has the bytes of its file and a key that finds it
again.
"""

import struct
from random import Random

from appliance.mime.tnef import FILES_MAX, TEXT, leaf, unpack
from tests.fuzz.coverage import note
from tests.unit.mime import made_tnef as made

COVERS = ("appliance/mime/tnef.py",)
TOKENS = (
    made.MESSAGE_INTERFACE,
    b"\xf0\xff\xff\xff",
    *(struct.pack("<H", kind | flag) for kind in (2, 3, 5, 0x0D, 0x1E, 0x1F, 0x102) for flag in (0, 0x1000)),
    *(
        struct.pack("<BH", level, name)
        for level in (1, 2)
        for name in (0x9002, 0x9003, 0x9005, 0x800F, 0x8010)
    ),
    struct.pack("<H", 0x8001),
)
BYTES_MAX = 65_536
DEADLINE_S = 3.0


def seeds() -> list[bytes]:
    files = (
        made.file("a.pdf", b"%PDF", mime="application/pdf"),
        made.file("b.png", b"PNG", content_id="b@1", title=b"\xfcb"),
    )
    inner = made.tnef(*files, plain="inner")
    return [
        made.tnef(*files, html="<p>x</p>"),
        made.tnef(made.embedded("m", inner), plain="text", codepage=None),
        made.tnef(made.attribute(made.MESSAGE, made.PROPERTIES, struct.pack("<IHH", 1, 0x101F, 0x8001))),
    ]


def make(rng: Random) -> bytes:
    """Build a file of attributes that make some sense."""
    pieces = [
        made.attribute(
            rng.choice((made.MESSAGE, made.FILE)),
            rng.choice((made.RENDER_DATA, made.TITLE, made.DATA, made.ATTACHMENT, made.PROPERTIES)),
            b"".join(rng.choice((rng.choice(TOKENS), rng.randbytes(4))) for _ in range(rng.randrange(12))),
        )
        for _ in range(rng.randrange(8))
    ]
    return made.tnef(*pieces, html=rng.choice(("", "<p>x</p>")))


def target(data: bytes) -> None:
    found = unpack(data)
    leaves = list(found.leaves())
    note("files", len(found.files), "text", bool(found.html), bool(found.plain))
    assert len(found.files) <= FILES_MAX
    keys = [key for key, _ in leaves]
    assert len(set(keys)) == len(keys), "two leaves of one key"
    assert TEXT not in keys[1:]
    for key, file in leaves[:3]:
        assert leaf(data, key) == file.data
        assert isinstance(file.name, str)
