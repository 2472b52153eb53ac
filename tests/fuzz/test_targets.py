"""The targets of `python -m tests.fuzz` hold for the inputs that they start from."""

from __future__ import annotations

import pytest

from tests.fuzz import form, manifest, svg


@pytest.mark.parametrize("target", [form, manifest, svg], ids=lambda module: module.__name__)
def test_a_target_accepts_its_seeds(target: object) -> None:
    for seed in target.SEEDS:  # type: ignore[attr-defined]  # a module
        target.check(seed)  # type: ignore[attr-defined]  # likewise
        for end in range(0, len(seed), 7):
            target.check(seed[:end])  # type: ignore[attr-defined]  # likewise
