"""What both trainings share: the loop, weights files, atomic checkpoints, progress, and jobs of their own process."""
