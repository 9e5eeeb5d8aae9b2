"""Kaunta: M-Pesa at the bar counter."""

__version__ = "0.1.0"
