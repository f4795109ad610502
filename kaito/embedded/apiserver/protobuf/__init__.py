"""Kubernetes' protobuf bodies, from and to JSON objects."""
