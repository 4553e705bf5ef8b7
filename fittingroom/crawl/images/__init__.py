"""A fetched picture: decoded within limits, checked, and stripped of its metadata."""
