"""Stored names and versions of catalog's events."""

from catalog.domain import content, interaction
from eventfold.codec import EventCodec

CODEC = EventCodec(
    {
        content.ContentPublished: ("content.published", 1),
        interaction.Viewed: ("interaction.viewed", 1),
        interaction.Liked: ("interaction.liked", 1),
        interaction.Unliked: ("interaction.unliked", 1),
        interaction.Commented: ("interaction.commented", 1),
        interaction.Shared: ("interaction.shared", 1),
        interaction.Rated: ("interaction.rated", 1),
        interaction.Completed: ("interaction.completed", 1),
        interaction.Repeated: ("interaction.repeated", 1),
    }
)
