"""The SMTP edge: listeners for reception and submission, the queue runner, relay to other servers."""
