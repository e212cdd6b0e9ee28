"""What members do with content: views, likes, comments, shares, ratings, completions."""
