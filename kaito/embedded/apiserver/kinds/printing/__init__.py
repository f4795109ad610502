"""Table cells of the built-in kinds, by area (pkg/printers/internalversion/printers.go of Kubernetes 1.34).

A printer gets the object and the current time and gives one cell per column, wide ones included.
"""
