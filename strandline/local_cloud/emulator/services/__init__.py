"""ECS services: what makes a task healthy, and what is done when it is not."""
