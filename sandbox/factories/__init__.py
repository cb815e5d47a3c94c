"""Makers of rows: every field the API has, with the oddities of real data, a file per domain."""
