"""Load balancers that ordinary clients can reach, and target groups whose health is asked, not assumed."""
