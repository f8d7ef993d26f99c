"""What runs inside AgentCore: the blueprint's schema and loader, the model builders, the secrets and the handler.

Imports no CDK and no CLI, and knows nothing of the folder that it was packaged from.
"""
