"""Shows the whole way from a Vitally to a warehouse, without a Vitally."""
