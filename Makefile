# Each target does its own set-up; a second call finds it done. ARGS goes to the command: make test ARGS="-k gate".
.PHONY: run test lint bench soak lock
python := .venv/bin/python
# Else every process of the product compiles all of it anew.
unexport PYTHONDONTWRITEBYTECODE

run:
	@scripts/setup.sh run
	@exec $(python) manage.py start $(ARGS)

test:
	@scripts/setup.sh dev
	@exec $(python) -m pytest $(ARGS)

lint:
	@scripts/setup.sh dev
	@exec scripts/lint.sh

bench:
	@scripts/setup.sh dev
	@exec $(python) manage.py bench $(ARGS)

soak:
	@scripts/setup.sh dev
	@exec $(python) -m pytest -m "load or kills or soak" --run-soak $(ARGS)

# Pins the packages anew, by hash, for every Python from 3.11 on.
lock:
	@scripts/setup.sh dev
	@exec scripts/lock.sh
