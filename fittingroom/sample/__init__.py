"""The rendered sample world: dressed people with true masks, a shop with its quirks, photos to try on, from a seed."""
