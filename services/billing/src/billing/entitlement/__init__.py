"""What members may use: granted by paid orders."""
