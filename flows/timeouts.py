"""Units of the flows' timeouts: each is far above what its run takes, so that only a hung one meets it."""

MINUTES = 60.0
HOURS = 3600.0
