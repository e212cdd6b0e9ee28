"""The one process that draws noise, and this process's side of it."""
