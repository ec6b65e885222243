"""Chat bots: commands generated from the tasks, jobs shown as messages."""
