"""Decide what to read, which rows to keep, when to stop and what to store in STATE; no requests."""
