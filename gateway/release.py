"""The version of this software."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("octroi")
except PackageNotFoundError:
    VERSION = "unpackaged"
