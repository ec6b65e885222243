"""Recipes: chains of jobs across media, and batches, which are recipes over rows.

A recipe names steps; each step is an ordinary job whose fields may refer to the recipe's inputs
and to the outputs of other steps. A run carries a recipe out once for each of its rows, outside
the device's window, so that no job ever waits for another. Every step is ordered under a key of
the run, so a run that is taken up again after a crash finds what it had already ordered: nothing
is lost and nothing is made twice.

`document` is the recipe as people write it; `references` fills in `{name}`; `rows` reads tables;
`run` says how far a run is, `store` remembers it. `studio.conductor` carries runs out.
"""
