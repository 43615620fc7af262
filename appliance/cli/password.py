"""Where a command's password comes from: standard input or a prompt, never the argument list.

An argument is visible to every user of the machine (`ps`) and stays in the shell's history.
"""

import sys

import click

LINE_BYTES_MAX = 4096

from_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of standard input."
)


def read(password_stdin: bool) -> str:
    """Return the password: one line of standard input, or typed twice. Raises UsageError for neither."""
    if password_stdin:
        line = sys.stdin.buffer.readline(LINE_BYTES_MAX)
        if not line:
            raise click.UsageError("--password-stdin: standard input is empty")
        try:
            return line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise click.UsageError("--password-stdin: not UTF-8 text") from None
    if not sys.stdin.isatty():
        raise click.UsageError("no terminal to ask for the password on; use --password-stdin")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
