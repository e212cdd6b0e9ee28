"""The gateway beside direct gRPC and a bare gRPC server."""
