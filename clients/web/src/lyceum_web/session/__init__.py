"""Who is logged in: a sealed cookie, and its renewal."""
