"""What tests and the soak share: running the tap, a warehouse that keeps what it wrote, the hunt."""
