"""The life of a pod on a node of the process kubelet."""
