"""Stands for the compiled part."""
