"""What an audit says of published reward models, as one table a claim.

    python benchmarks/reward_models.py DATA_FOLDER [--out benchmarks/results/reward_models.md] [--only 1]

The folder holds `benchmark/*.parquet` of public releases; it is not part of the project.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import polars as pl
from sections import tell

from dehusk.core.findings import Estimate, Finding
from dehusk.core.options import AuditConfig
from dehusk.workflow import run_audit

SIZES = ("2B", "3B", "8B", "27B")
# arXiv 2506.05339's scores of base and repaired models, counted by its definition (a tie is no preference).
PUBLISHED = {
    "jargon": ((0.31, 0.09), (0.30, 0.16), (0.38, 0.10), (0.44, 0.23)),
    "length": ((0.52, 0.26), (0.41, 0.30), (0.56, 0.38), (0.61, 0.57)),
    "structure": ((0.91, 0.82), (0.85, 0.80), (0.95, 0.83), (0.95, 0.86)),
    "sycophancy": ((0.67, 0.50), (0.41, 0.38), (0.31, 0.22), (0.55, 0.52)),
}
PICKS = {"1.0-reward": 0.83, "1.0-cost": 0.58, "pythia": 0.56, "deberta": 0.50}  # counted on the same release


def skews(data: Path) -> Iterator[str]:
    """1. Skew of base and repaired models on counterfactual pairs, through `scores:` files."""
    file = data / "benchmark" / "bias_counterfactual_rm_scores.parquet"
    models = [f"rm{size}_{kind}" for size in SIZES for kind in ("base", "cda")]
    columns = "base_response={0}_score_base&perturbed_response={0}_score_perturbed"
    specs = tuple(f"{model}=scores:{file}?{columns.format(model)}" for model in models)
    outcome = run_audit(AuditConfig(counterfactuals=str(file), reward_model=specs))
    found = {
        (finding.feature or "", str(finding.details["model"])): finding
        for finding in outcome.audit.findings
        if finding.probe == "reward_model.rewrites"
    }
    people = _people(data)
    titles = ("feature", "model", "skew base → repaired", "published", "ties half, with interval", "change", "Δ words")
    yield f"| {' | '.join((*titles, 'people', 'about length too'))} |"
    yield "|---|---|---|---|---|---|---:|---:|---|"
    apart = 0.0
    for feature, published in PUBLISHED.items():
        for size, (before, after) in zip(SIZES, published, strict=True):
            base, repaired = (found[feature, f"rm{size}_{kind}"] for kind in ("base", "cda"))
            ours = [float(finding.details["share_strictly_above"]) for finding in (base, repaired)]
            apart = max(apart, *(abs(one - two) for one, two in zip(ours, (before, after), strict=True)))
            cells = [
                *(feature, size, f"{ours[0]:.3f} → {ours[1]:.3f}", f"{before:.2f} → {after:.2f}"),
                f"{_shown(base.estimate)} → {_shown(repaired.estimate)}",
                _shown(repaired.details["change"], sign="+"),
                f"{base.details['words_added']:+.0f}",
                f"{people[feature]:.2f}",
                "yes" if base.details["length_confounded"] else "no",
            ]
            yield f"| {' | '.join(cells)} |"
    yield ""
    yield f"Largest distance from a published number: {apart:.4f} (0.005 is rounding)."
    yield f"Verdicts: {_verdicts(found.values())}."


def longer_picks(data: Path) -> Iterator[str]:
    """2. How often each reward model's best of 16 is longer than a random other sample, ties half."""
    file = data / "preference" / "rm_bon16_choices.parquet"
    audit = run_audit(AuditConfig(pairs=str(file))).audit
    told = next(
        finding
        for finding in audit.findings
        if finding.details.get("reading") == "longer_wins" and finding.feature == "characters"
    )
    plain = pl.read_parquet(file).with_columns(
        longer=((pl.col("chosen").str.len_chars().cast(int) - pl.col("rejected").str.len_chars()).sign() + 1) / 2
    )
    counted = dict(plain.group_by("subset").agg(pl.col("longer").mean()).rows())
    yield "| reward model | P(longer), audit (ties left out) | plain count, ties half | expected |"
    yield "|---|---|---:|---:|"
    for row in (row for row in told.details["by"] if row["column"] == "subset"):
        name = row["level"]
        expected = next((f"{value:.2f}" for known, value in PICKS.items() if known in name.lower()), "—")
        yield f"| {name} | {_shown(row['estimate'])} | {counted[name]:.3f} | {expected} |"


def _people(data: Path) -> dict[str, float]:
    """How often the majority of annotators prefers the biased answer, a tie being no preference; on other items."""
    judged = pl.read_parquet(data / "benchmark" / "bias_human_judgements.parquet")
    prefers = (pl.col("human_preference") == pl.col("biased_response")).mean().alias("share")
    return dict(judged.group_by("bias").agg(prefers).rows())


def _shown(estimate: Estimate | None, sign: str = "") -> str:
    if estimate is None:
        return "—"
    value, low, high = (f"{part:{sign}.3f}" for part in (estimate.value, estimate.low, estimate.high))
    return f"{value} [{low}, {high}]"


def _verdicts(findings: Iterable[Finding]) -> str:
    counts = pl.Series([finding.verdict for finding in findings]).value_counts(sort=True).rows()
    return ", ".join(f"{count} {verdict}" for verdict, count in counts)


def main() -> None:
    """Run the claims asked for and print or write their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", default="1,2")
    options = parser.parse_args()
    claims: dict[str, Callable[[Path], Iterator[str]]] = {"1": skews, "2": longer_picks}
    sections = ((claims[number].__doc__, claims[number](options.data)) for number in options.only.split(","))
    tell(f"reward_models.py DATA_FOLDER --only {options.only}", sections, options.out)


if __name__ == "__main__":
    main()
