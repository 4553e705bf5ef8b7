"""Mask R-CNN: finds the garments in any photo, as one mask each (DeepFashion2's 13 categories)."""
