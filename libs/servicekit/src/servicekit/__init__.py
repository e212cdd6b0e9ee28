"""The common parts of every Lyceum service process. None of them knows a business rule."""
