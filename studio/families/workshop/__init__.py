"""The workshop: tools for finished work, which need no model: master, mix, letter, lay out.

`family` gives each order to its tool; `sound` and `picture` hold the tools, as functions from a
request and opened inputs to a draft's arrays and facts. They run in the device child like any
model, so what they make is queued, cancelled, marked and signed like everything else.
"""
