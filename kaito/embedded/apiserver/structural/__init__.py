"""Custom resources: structural schemas, their rules and printer columns."""
