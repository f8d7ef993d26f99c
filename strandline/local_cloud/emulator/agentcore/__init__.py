"""AgentCore: runtimes and endpoints as the service keeps them, and one process for each session."""
