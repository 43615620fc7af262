"""Patch the standard library for gevent before pytest imports anything else.

Loaded by `-p tests.patch_first` in pyproject.toml, so that tests run in the same world as the
product's processes: a lock created at import time before patching would stay a native one.
"""

from gevent import monkey

monkey.patch_all()
