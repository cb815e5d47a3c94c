"""The dbt package on emulators of other warehouses: ``make warehouses``."""
