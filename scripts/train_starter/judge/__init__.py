"""Judges that read a picture back: they never share a weight with the models that they judge."""
