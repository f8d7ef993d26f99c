"""What runs inside the LiteLLM proxy: `gateway.yaml` compiled to LiteLLM's `config.yaml`."""
