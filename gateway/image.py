"""Which LiteLLM runs: one version for the container image and for the process that stands in for it locally."""

LITELLM_VERSION = "1.102.4"
"""Held by a test to the version in `gateway/requirements.lock`."""

IMAGE = f"ghcr.io/berriai/litellm:v{LITELLM_VERSION}"
"""BerriAI's image of that version; a release tag is never moved."""
