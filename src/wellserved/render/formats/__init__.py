"""Reports and tables as text, page, Markdown, CSV and JSON."""
