# mypy: disable-error-code="import-untyped"
# gevent ships no annotations; this is the rim.
"""Patch the standard library for gevent before anything else is imported, then run the command.

A lock that is made before patching stays a native one and can stop the whole process.
"""

from gevent import monkey

monkey.patch_all()


def main() -> None:
    """Run `smtpd.command`; imported only now, after patching."""
    from smtpd import command

    command.main(prog_name="smtpd")


if __name__ == "__main__":
    main()
