"""The starter composer's school: a generator that knows music theory, a judge, training,
evaluation.
"""
