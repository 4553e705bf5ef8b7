"""What a garment looks like: its colours, its cloth and its pattern, and the style that is nearest to them."""
