"""Try-on: the ten steps from a photo to a picture, their geometry, and the report."""
