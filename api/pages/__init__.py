"""What a browser is shown: templates, style and modules that talk to /v1 like every other client."""
