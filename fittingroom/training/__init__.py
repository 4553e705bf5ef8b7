"""What both trainers share: weights files, atomic checkpoints, progress, and training as a job of its own process."""
