"""The domain of the 365 Email Appliance: everything that is not an HTTP or SMTP edge."""

__version__ = "0.1.0"
