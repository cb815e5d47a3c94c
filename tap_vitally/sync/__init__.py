"""From lists to records: what may run on any thread, without a word of the SDK."""
