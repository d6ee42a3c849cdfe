"""What one live call may hold, at whichever door it comes in."""

MOST_ROWS = 10_000
MOST_BYTES = 16 * 1024**2  # of the body, unpacked
