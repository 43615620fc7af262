"""RFC 5322 and MIME: scanning, reading, composing. Pure: bytes in, values out."""
