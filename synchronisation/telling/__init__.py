"""Notifying people and programs of events in the federation, by webhook and by e-mail."""
