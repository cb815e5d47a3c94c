"""Rows become writes: looked up first, sent once, told for each row what became of it."""
