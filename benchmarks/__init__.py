"""Measures the tap beside other ways to read the same API: ``python -m benchmarks``."""
