"""The Singer target for Vitally: rows become records, with the least writes and never twice."""
