"""A simulated iPhone: an independent ActiveSync client for tests, health checks and demonstrations."""

from appliance.phone.client import Phone

__all__ = ["Phone"]
