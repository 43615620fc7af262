"""SMTP without sockets: grammar, replies, message transfer, SASL, server and client sessions."""
