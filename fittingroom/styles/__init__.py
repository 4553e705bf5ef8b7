"""Styles: what a garment looks like (``describe``), which models serve them (``registry``) and when (``gates``)."""
