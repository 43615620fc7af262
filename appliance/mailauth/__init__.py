"""Mail authentication: signatures made and checked, policies of domains. Pure; look-ups are handed in."""
