"""A scorer that looks for words, and a fitter that chooses them."""
