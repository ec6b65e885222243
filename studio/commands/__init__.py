"""The `studio` command's subcommands: one module each, thin over the client."""
