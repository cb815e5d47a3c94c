"""Streams that an operator declares in the setting ``custom_streams``: read, checked, inferred."""
