"""What Vitally holds: requests, records by their keys, and what rows refer to."""
