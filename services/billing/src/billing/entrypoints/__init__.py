"""Ways in: gRPC and the reconciler."""
