"""Programs of the repository's own upkeep."""
