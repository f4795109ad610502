"""Exec, attach and port-forward: the protocols that clients speak, and what happens behind them."""
