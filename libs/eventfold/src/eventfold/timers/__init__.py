"""What happens by itself: due dates that are looked at, and calls to others that are carried out."""
