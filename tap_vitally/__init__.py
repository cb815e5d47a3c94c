"""A Singer tap that reads a Vitally workspace through its REST API."""
