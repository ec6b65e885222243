"""Meta's audiocraft, AudioGen and MAGNeT, in a Python and a process of its own."""
