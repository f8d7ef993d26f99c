"""A Docker client made of processes, for ECS where there is no Docker engine."""
