"""Lets ``python -m tap_vitally`` do what ``tap-vitally`` does."""

from tap_vitally.tap import TapVitally

TapVitally.cli()
