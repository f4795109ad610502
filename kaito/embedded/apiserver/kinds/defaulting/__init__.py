"""Default values of the built-in kinds, by area (pkg/apis/*/v1/defaults.go of Kubernetes 1.34)."""
