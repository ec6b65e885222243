"""The stages of the training, in the order in which `pictures.py` runs them."""
