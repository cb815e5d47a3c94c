"""Decisions about rows, as values: what a stream means, what a row says, what has to be written."""
