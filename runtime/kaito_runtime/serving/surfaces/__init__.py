"""The HTTP surfaces: one module per group of endpoints, all built on an `Engine` and the shared `ServingState`."""
