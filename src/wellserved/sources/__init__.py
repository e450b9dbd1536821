"""Where moments come from: one file, or one TOML preset, an origin."""
