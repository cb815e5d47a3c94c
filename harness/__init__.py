"""What the tests and the soak share: running the tap, and judging what it brought."""
