"""What every transfer over HTTP shares: patience with passing failures, and addresses that can be shown."""
