"""The stories: one flow a file, read top to bottom; values and paths only, no pictures and no tensors."""
