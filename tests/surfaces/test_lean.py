"""What is left out of Gradio's start: it must stay out, and nothing else may go with it."""

from __future__ import annotations

import inspect
import subprocess
import sys

from gradio import Blocks
from gradio.routes import App

from ui.lean import building

#: A fresh process: in this one somebody may have imported anything.
FRESH = """
import ast, sys
parsing, parsed = ast.parse, []
ast.parse = lambda *given, **named: parsed.append(given) or parsing(*given, **named)
import ui
ast.parse = parsing
assert not [one for one in parsed if "class Textbox" in str(one)]
assert "pandas" not in sys.modules
from gradio import caching
assert caching.pd.Series([1, 2]).sum() == 3
import pandas
assert pandas.Series is caching.pd.Series
"""


def test_neither_stubs_are_compared_nor_pandas_imported_before_it_is_needed() -> None:
    subprocess.run([sys.executable, "-c", FRESH], check=True)
    assert inspect.getfile(App).endswith("routes.py")


def test_what_is_left_out_while_pages_are_built_is_there_again_afterwards() -> None:
    before = App.create_app, Blocks.get_config_file
    with building():
        assert App.create_app(None) is None
    assert (App.create_app, Blocks.get_config_file) == before
