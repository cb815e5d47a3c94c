"""A long hunt for lost rows: ``python -m soak``."""
