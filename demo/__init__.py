"""The demo: from a made-up Vitally through Meltano to tables in DuckDB."""
