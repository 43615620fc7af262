"""The store's fixtures: what is delivered and queued is stored."""

from tests.unit.store.conftest import anna, ben, store

__all__ = ["anna", "ben", "store"]
