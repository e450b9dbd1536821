# Everything runs through dev.py, which needs nothing but Python 3.11 or newer.
PYTHON ?= python3
.PHONY: setup demo test check bench test-spark
setup demo test check bench test-spark:
	@$(PYTHON) dev.py $@
