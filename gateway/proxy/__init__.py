"""What runs inside the LiteLLM proxy itself: it imports no other package of ours and comes to the proxy in a bundle."""
