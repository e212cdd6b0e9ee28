"""Typed clients of the gateway, generated from the protos and the policies of the services."""
