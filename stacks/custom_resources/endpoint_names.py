"""The endpoints of an agent's runtime; whoever deploys them and what runs in Lambda agree on their names."""

LIVE = "live"
"""The endpoint that callers use; DEFAULT would follow every new version at once."""
CANDIDATE = "candidate"
"""The endpoint of the newest version, which the checks ask and no caller."""
PREVIOUS = "previous"
"""The endpoint that holds what was behind `live` before, so that AgentCore keeps that version for a rollback."""
