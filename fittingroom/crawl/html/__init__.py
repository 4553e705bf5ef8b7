"""What a page offers: its pictures, the sizes they come in, and the pages that follow it."""
