"""Streams declared in the setting ``custom_streams``: parse and check it, and infer their columns."""
