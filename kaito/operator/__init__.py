"""The operator: reconcilers, the objects they make, admission, installation."""
