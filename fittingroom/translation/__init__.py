"""Style translation: a CycleGAN per style that turns any garment (domain A) into that style (domain B) at 256 x 256."""
