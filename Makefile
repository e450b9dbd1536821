# Everything runs through dev.py, which needs nothing but Python 3.11 or newer.
PYTHON ?= python3
.PHONY: setup demo serve format check test coverage bench test-spark calibrate
setup demo serve format check test coverage bench test-spark calibrate:
	@$(PYTHON) dev.py $@ $(ARGS)
