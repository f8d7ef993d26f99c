"""What an operator runs: the CLI and the local cloud."""
