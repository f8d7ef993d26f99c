"""The checks of a release as an operator sees them: run alone, and what was recorded when a deployment ran them."""
