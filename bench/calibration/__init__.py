"""How often the engine is wrong where the truth is known: `make calibrate`."""
