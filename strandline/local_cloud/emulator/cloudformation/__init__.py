"""Resource types that MiniStack's CloudFormation lacks or gets wrong, one module for each service."""
