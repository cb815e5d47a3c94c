"""Look up what is in Vitally: requests, records by key, and the records that rows refer to."""
