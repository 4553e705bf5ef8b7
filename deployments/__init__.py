"""How the flows are run for real: the demo, a local Prefect server, the served deployments."""
