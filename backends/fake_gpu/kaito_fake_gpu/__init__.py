"""The fake-gpu provider: GPU nodes without GPUs, for the embedded, envtest and kind tiers."""
