"""Training pictures of 256 x 256: out of cut-outs (``square``) and out of photos of people (``from_people``)."""
