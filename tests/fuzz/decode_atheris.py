"""
The decoders against a coverage-guided fuzzer (atheris, which is libFuzzer), run by hand: `make fuzz`.

It stops at the first input that breaks a property of `tests.fuzz.properties`, and writes it to a file ``crash-…``. The
corpus's folder holds the inputs to start with, and receives new ones.

Usage: ``python -m tests.fuzz.decode_atheris frame|answer --corpus DIR [--recordings DIR] [libFuzzer's options]``
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["app"]):
    from tests.fuzz.properties import check_answer, check_frame

from tests.fuzz.mutate import mutated
from tests.fuzz.seeds import TOKENS, answers, frames

TARGETS = {"frame": (check_frame, frames), "answer": (check_answer, answers)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=list(TARGETS))
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--recordings", type=Path)
    options, passed_on = parser.parse_known_args()
    check, seeds = TARGETS[options.target]
    corpus = options.corpus / options.target
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(options.recordings)):
        (corpus / f"seed-{number:04}").write_bytes(seed)
    dictionary = options.corpus / "tokens.dict"
    dictionary.write_text("".join('"{}"\n'.format(token.replace('"', '\\"')) for token in TOKENS))

    def test_one_input(data: bytes) -> None:
        check(data)

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        """Keep half of the inputs valid JSON, which libFuzzer's own changes of bytes rarely do."""
        changed = mutated(data, seed) if seed % 2 else data
        return changed[:max_size] if changed != data else atheris.Mutate(data, max_size)

    arguments = [sys.argv[0], f"-dict={dictionary}", *passed_on, str(corpus)]
    atheris.Setup(arguments, test_one_input, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
