"""Answers laid out as tables and sentences, before anybody chose a format."""
