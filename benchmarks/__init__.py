"""`make bench`: figures of the product beside the naive way, each on a database of its own."""
