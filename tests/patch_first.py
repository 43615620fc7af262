"""Patch the standard library for gevent before pytest imports anything else.

Loaded by `-p tests.patch_first` in pyproject.toml, so that tests run in the same world as the
product's processes: a lock created at import time before patching would stay a native one.

`os.close` stays the real one: gevent puts closing off until its loop turns, and pytest, which removes
thousands of directories in one go without ever turning it, would run out of descriptors.
"""

import os

from gevent import monkey

monkey.patch_all()
os.close = monkey.get_original("os", "close")
