"""The fuzzer's corpus as an ordinary test: every input ever kept, through its target, in seconds.

A bug that fuzzing found stays here as an input with a telling name. What the fuzzer itself must be able to
do is in `test_fuzz.py`.
"""

from pathlib import Path

import pytest

from tests.fuzz.__main__ import CORPUS, corpus
from tests.fuzz.targets import NAMES, load

INPUTS = [(name, path) for name in NAMES for path in corpus(name)]
BYTES_MAX = 300_000
"""Of the whole corpus: it is curated, not collected."""


@pytest.mark.parametrize(("name", "path"), INPUTS, ids=[f"{name}-{path.name}" for name, path in INPUTS])
def test_kept_input(name: str, path: Path) -> None:
    load(name).run(path.read_bytes())


@pytest.mark.parametrize("name", NAMES)
def test_vectors_and_the_empty_input(name: str) -> None:
    target = load(name)
    for data in [b"", *target.seeds()]:
        target.run(data[: target.bytes_max])


def test_every_target_has_inputs_and_every_input_a_target() -> None:
    folders = {path.name for path in CORPUS.iterdir() if path.is_dir()}
    assert folders == set(NAMES)
    assert {name for name, _ in INPUTS} == set(NAMES)


def test_the_corpus_is_small() -> None:
    assert sum(path.stat().st_size for _, path in INPUTS) < BYTES_MAX
