"""Requests of the crawler: polite, bounded, and only to addresses that may be asked."""
