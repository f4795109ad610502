"""Every object the operator makes, as pure functions of the workspace, its model, its machine and the settings."""
