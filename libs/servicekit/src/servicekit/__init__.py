"""What every Lyceum service process has in common; none of it knows a business rule."""
