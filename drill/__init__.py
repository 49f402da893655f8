"""Two replicas behind a balancer, and what they are put through."""
