"""The web studio: Gradio pages whose forms are generated from the tasks.

Nothing here makes, marks or opens media: pages talk to `studio.client.Client` and show finished
files by their address in the API, so that a browser gets the very bytes that were signed.
"""

import os

from ui.lean import importing

# Gradio reads it once, when it is first imported, and then asks a host on the internet.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
with importing():
    import gradio as gradio
