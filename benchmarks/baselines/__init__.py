"""What the tap is measured against: the same streams, read by other tools as they come."""
