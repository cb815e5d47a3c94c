"""Hunts for lost rows for as long as it is told to."""
