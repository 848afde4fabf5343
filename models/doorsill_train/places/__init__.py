"""Invented places: rooms, roads, wares."""
