"""The way of rows: parsed, merged, resolved, compared, written, and acknowledged with STATE."""
