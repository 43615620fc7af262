"""format=flowed text back to paragraphs.

Source: RFC 3676 4 The Format Parameter, 4.4 Space-Stuffing, 4.5 Quoting.
"""

SIGNATURE_LINE = "-- "


def unflow(text: str, *, delsp: bool = False) -> str:
    """Return the text with flowed lines joined; line ends become LF. Linear in the text."""
    out: list[str] = []
    paragraph: list[str] = []
    depth = 0
    for raw_line in text.replace("\r\n", "\n").split("\n"):
        line = raw_line.lstrip(">")
        line_depth = len(raw_line) - len(line)
        line = line.removeprefix(" ")  # space-stuffing
        is_signature = line == SIGNATURE_LINE
        if paragraph and (line_depth != depth or is_signature):
            out.append(_finish(paragraph, depth))
        depth = line_depth
        if line.endswith(" ") and not is_signature:
            paragraph.append(line[:-1] if delsp else line)
        else:
            paragraph.append(line)
            out.append(_finish(paragraph, depth))
    if paragraph:
        out.append(_finish(paragraph, depth))
    return "\n".join(out)


def _finish(paragraph: list[str], depth: int) -> str:
    """Join and empty the paragraph under way."""
    line = "".join(paragraph)
    paragraph.clear()
    if line != SIGNATURE_LINE:
        line = line.rstrip(" ")
    return f"{'>' * depth} {line}" if depth else line
