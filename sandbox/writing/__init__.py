"""What Vitally takes: the routes that write, and a switch for each thing that nobody knows."""
