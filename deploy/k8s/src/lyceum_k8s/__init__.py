"""The Kubernetes manifests: those that follow from the code are written by `make k8s`, the others by hand."""
