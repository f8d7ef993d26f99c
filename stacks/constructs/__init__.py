"""The constructs that the stacks wire together, one to a file."""
