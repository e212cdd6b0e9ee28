"""Notifications: what happened, told to members and partners."""
