"""Damage to files, at random and yet the same each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

_VALUES = (0, 1, 0x7F, 0x80, 0xFF)


def mutate(data: bytes, random: Random) -> bytes:
    """Change, cut, drop, repeat or insert a few bytes."""
    mutated = bytearray(data)
    for _ in range(random.randint(1, 4)):
        place = random.randrange(len(mutated) + 1)
        length = random.choice((1, 2, 4, random.randint(1, 64)))
        action = random.randrange(7)
        if action < 3 and place < len(mutated):
            mutated[place] = random.choice((*_VALUES, random.randrange(256)))
        elif action == 3:
            mutated[place : place + 4] = random.randbytes(4)
        elif action == 4:
            del mutated[place : place + length]
        elif action == 5:
            mutated[place:place] = mutated[place : place + length]
        elif not random.randrange(4):
            del mutated[place:]
    return bytes(mutated)
