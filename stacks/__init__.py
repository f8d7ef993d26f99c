"""What is provisioned: constructs, stacks, the stage, and the packaging of the artefact. Makes no AWS call."""
