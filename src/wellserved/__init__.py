"""wellserved: service numbers you can stand behind."""

__version__ = "0.1.0"
