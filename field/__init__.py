"""Run the tap and the target with programs of others, and record what each does: ``make field``."""
