"""Our OpenAPI document, derived from the declarations of endpoints and from the catalogue of errors."""

from gateway.description.document import describe
from gateway.description.letter import to_the_letter
from gateway.description.yaml_form import as_yaml

__all__ = ["as_yaml", "describe", "to_the_letter"]
