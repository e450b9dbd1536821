# Everything runs through dev.py, which needs nothing but Python 3.11 or newer.
PYTHON ?= python3
.PHONY: setup demo test check bench
setup demo test check bench:
	@$(PYTHON) dev.py $@
