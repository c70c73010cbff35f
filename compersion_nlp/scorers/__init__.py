"""Scorers: each scores texts for the labels of its bundle; one file each."""
