"""Send messages to the Analytics API, a hundred per request, and check that they were applied."""
