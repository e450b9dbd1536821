"""Finished data to text, HTML, Markdown, CSV and JSON: the only place that escapes other people's words."""
