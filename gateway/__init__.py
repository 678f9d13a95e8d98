"""The HTTP face: pipeline, authentication, errors, cache, documents, health, server, command line."""
