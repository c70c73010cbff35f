"""Training: a recipe and annotated corpora in, a bundle out. Each scorer's fitter is a module of its own."""
