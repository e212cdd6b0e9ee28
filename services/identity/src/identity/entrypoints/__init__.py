"""gRPC and the operator commands."""
