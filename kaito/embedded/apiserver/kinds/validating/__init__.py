"""Validation of the built-in kinds, by area (pkg/apis/*/validation of Kubernetes 1.34).

Every function gets the decoded and defaulted value and its field path, and returns causes in the order of the real
server.
"""
