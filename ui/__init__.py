"""The web studio: Gradio pages whose forms are generated from the tasks."""
