"""What the targets of a repair are in each pair: differences chosen − rejected, and odd functions of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dehusk.core.errors import InputError, NotEnoughData
from dehusk.core.tables import Floats, Ints, Measures
from dehusk.stats.bounding import bounded
from dehusk.stats.folds import grouped_folds
from dehusk.stats.regression import paired_logit

FAR = 0.99  # share of the pairs within which a difference counts in full; one huge one must not set all weights
FOLDS = 5
FEW = 4  # targets up to which long tails and each two together are looked at: more terms than that ask too much


def differences(measures: Measures, names: Sequence[str]) -> Floats:
    """Chosen − rejected of each target, shape (n, k), k >= 1; 0 where a feature means nothing in a pair's language.

    Raises:
        InputError: no target.
        NotEnoughData: a target in which no pair differs.
    """
    if not names:
        raise InputError("no target", where="--target", expected="a feature, a family or a phrase",
                         fix="--target characters")  # fmt: skip
    found: Floats = np.stack([np.nan_to_num(difference(measures, name)) for name in names], axis=1)
    for name, column in zip(names, found.T, strict=True):
        if not column.any():
            raise NotEnoughData(f"pairs that differ in the target, {name}, got 0")
    return found


def difference(measures: Measures, name: str) -> Floats:
    """Chosen − rejected of one feature, shape (n,), NaN where it means nothing; a repair tests nothing, so all rows."""
    found: Floats = measures.all_values("chosen", name) - measures.all_values("rejected", name)
    return found


def one_target(targets: Sequence[str], repair: str) -> str:
    """The only target.

    Raises:
        InputError: none, or several.
    """
    if len(targets) != 1:
        what = f"{repair} takes one target, got {len(targets)}"
        raise InputError(what, where="--target", fix="--method match or reweight, which take several")
    return targets[0]


def odd_terms(x: Floats) -> Floats:
    """Odd functions of the differences: whoever turns a pair around turns their signs.

    Of each target its sign and a bounded reading; with at most four targets also a long-tailed reading, and of each two
    one where the other differs. If all of them average to 0, neither direction nor size of the targets says who was
    chosen, also where they go together.

    Args:
        x: Shape (n, k).

    Returns:
        Shape (n, m), m = 3k + k(k − 1) with at most four targets, else 2k; each column of about unit scale.
    """
    soft = bounded(x)
    terms = [np.sign(x), soft]
    if x.shape[1] <= FEW:
        far = np.quantile(np.abs(x), FAR, axis=0)
        scale = np.sqrt((x**2).mean(axis=0)).clip(1e-12)  # for what hardly a pair differs in
        terms.append(np.clip(x / np.where(far > 0, far, scale), -1, 1))
        each = range(x.shape[1])
        terms += [(soft[:, i] * np.abs(soft[:, j]))[:, None] for i in each for j in each if i != j]
    found: Floats = np.concatenate(terms, axis=1)
    return found


def held_out_margins(terms: Floats, weight: Floats, groups: Ints, rng: np.random.Generator) -> Floats:
    """Log odds that the terms alone give of each pair's label, by a ridge logistic model fitted on other prompts.

    Args:
        terms: Odd functions of the differences, shape (n, m).
        weight: Shape (n,).
        groups: Prompt of each pair, shape (n,).
        rng: Folds of the prompts.

    Returns:
        Shape (n,); above 0 where the terms predict the label that the pair has.

    Raises:
        NotEnoughData: with fewer prompts than folds, or fewer pairs than terms.
    """
    folds = grouped_folds(groups, FOLDS, rng)
    margins = np.empty(len(terms))
    for fold in range(FOLDS):
        rest = folds != fold
        margins[~rest] = terms[~rest] @ paired_logit(terms[rest], ridge=1.0, weights=weight[rest]).beta
    return margins
