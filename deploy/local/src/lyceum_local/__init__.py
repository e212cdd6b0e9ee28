"""The whole of Lyceum on one machine, without containers."""
