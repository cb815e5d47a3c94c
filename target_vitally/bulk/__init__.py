"""The Analytics API: rows as messages, a hundred a request, and how it is seen what became of them."""
