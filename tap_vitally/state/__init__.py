"""What to read, what to keep, when to stop and what to remember: decisions on values alone."""
