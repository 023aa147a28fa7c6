"""Training: which pairs teach a reviser, the tuning itself, and what a reviser was taught. Loaded when it is used."""
