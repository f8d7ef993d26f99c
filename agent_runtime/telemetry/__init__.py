"""What can be seen of the running agent: metrics, log lines and traces.

`metrics` and `json_logs` cost nothing to import. `tracing` is imported only for the agents whose traces go somewhere.
"""
