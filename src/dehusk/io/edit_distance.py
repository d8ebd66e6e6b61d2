"""Whether two texts are nearly the same, without computing more of the distance than that takes."""

from __future__ import annotations

from collections import Counter

LONGEST_CORE = 20_000  # characters left after the shared ends; above that "no" without looking


def shared_prefix(first: str, second: str) -> int:
    """Length of the common beginning, in characters, by bisection over slices (memory compare, no Python loop).

    >>> shared_prefix("abcd", "abxd")
    2
    """
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def edit_distance(first: str, second: str) -> int:
    """Levenshtein distance: insertions, deletions and substitutions, in characters.

    Bit-parallel (Myers 1999 in Hyyrö's form for the global distance): a column of the table is two big integers.

    >>> edit_distance("kitten", "sitting")
    3
    """
    if not first or not second:
        return len(first) + len(second)
    where: dict[str, int] = {}
    for place, character in enumerate(first):
        where[character] = where.get(character, 0) | 1 << place
    mask, top = (1 << len(first)) - 1, 1 << (len(first) - 1)
    up, down, distance = mask, 0, len(first)
    for character in second:
        match = where.get(character, 0)
        diagonal = (((match & up) + up) ^ up) | match | down
        rise = down | (~(diagonal | up) & mask)
        fall = up & diagonal
        distance += bool(rise & top) - bool(fall & top)
        rise = (rise << 1 | 1) & mask
        fall = (fall << 1) & mask
        up = fall | (~(diagonal | rise) & mask)
        down = rise & diagonal
    return distance


def nearly_equal(first: str, second: str, below: float = 0.02) -> bool:
    """Whether the edit distance is under `below` times the length of the longer text.

    Shared ends are cut off first; lengths and letter counts bound the distance from below and settle most cases.
    Texts that differ over more than `LONGEST_CORE` characters are called different.
    """
    limit = below * max(len(first), len(second))
    if abs(len(first) - len(second)) >= limit:
        return first == second
    start = shared_prefix(first, second)
    first, second = first[start:], second[start:]
    end = shared_prefix(first[::-1], second[::-1])
    first, second = first[: len(first) - end], second[: len(second) - end]
    if max(len(first), len(second)) < limit:
        return True
    if max(len(first), len(second)) > LONGEST_CORE:
        return False
    left, right = Counter(first), Counter(second)
    if max((left - right).total(), (right - left).total()) >= limit:
        return False
    return edit_distance(first, second) < limit
