"""The registry: habilitations, their tokens, and what a worker remembers of them."""
