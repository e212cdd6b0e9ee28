"""What members say about their recommendations: content to leave out, interests, personalisation on or off."""
