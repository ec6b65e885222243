"""The procedurally drawn world that the starter models are trained on.

`layout` invents scenes, `captions` says them, `render` draws them; `first` is the smaller world of
flat shapes that came before. Everything follows from a seed.
"""
