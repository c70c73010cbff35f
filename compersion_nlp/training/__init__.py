"""Training: recipes, and one fitter a scorer."""
