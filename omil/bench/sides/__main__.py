"""`python -m omil.bench.sides NAME`: one measured process. It says when it is warm, then answers in lines of JSON."""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from typing import Any

import django


def main() -> None:
    # Whatever a library prints must not end up among the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")

    django.setup()
    measured = import_module(f"omil.bench.sides.{sys.argv[1]}").Measured(*sys.argv[2:])
    say(measured.about)
    for question in sys.stdin:
        say(measured.run(**json.loads(question)))


main()
