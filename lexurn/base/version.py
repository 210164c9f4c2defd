"""The version of the library, which is stored with runs and figures and sent by cluster workers."""

__version__ = "0.2.0"
