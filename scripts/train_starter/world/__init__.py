"""The procedurally drawn world that the starter models are trained on."""
