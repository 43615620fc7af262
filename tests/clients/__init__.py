"""Clients that talk to the appliance from outside, for tests."""
