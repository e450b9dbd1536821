"""What runs the SQL of a measure: DuckDB."""
