"""How records of each resource are found, created, updated and deleted."""
