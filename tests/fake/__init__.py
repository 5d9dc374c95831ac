"""A scripted ACME server (RFC 8555): right in all it does, and wrong exactly where a test says."""
