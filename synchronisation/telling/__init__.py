"""Telling people and programs what happens in the federation: by webhook and by e-mail."""
