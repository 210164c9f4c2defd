"""The version of the library, which runs, figures and workers of a cluster carry."""

__version__ = "0.1.0"
