"""What tests and the soak share: running the programs, a warehouse for what they wrote, the fuzzers."""
