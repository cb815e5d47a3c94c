"""Looks for lost rows for as long as it is asked to."""
