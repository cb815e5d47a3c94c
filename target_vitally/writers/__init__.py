"""Find, create, update and delete records: a writer for each resource."""
