"""What an audit shows on real preference data and real stage outputs, as one table a claim.

    python benchmarks/real_data.py DATA_FOLDER [--out benchmarks/results/real_data.md] [--seeds 40] [--only 1,2,…]

The folder holds `preference/*.parquet` and `outputs/*.parquet` of public releases; it is not part of the project.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
from sections import tell

from dehusk.core.findings import Audit, Estimate
from dehusk.core.options import AuditConfig, ValidateConfig
from dehusk.core.run import stream
from dehusk.core.tables import Responses
from dehusk.inputs import Inputs, read
from dehusk.workflow import Outcome, audit_tables, run_validate

STAGES = {
    "phi-2 SFT → DPO": ("phi2_base_sft_dpo", "phi-2-sft", "phi-2-dpo"),
    "Zephyr SFT → DPO": ("zephyr_sft_to_dpo", "zephyr-7b-sft-full", "zephyr-7b-dpo-full"),
    "Alpaca SFT → PPO (simulated)": ("alpaca_sft_to_ppo", "alpaca-7b", "alpaca-farm-ppo-sim-gpt4-20k"),
    "Alpaca SFT → PPO (human)": ("alpaca_sft_to_ppo", "alpaca-7b", "alpaca-farm-ppo-human"),
    "InstructGPT 175B SFT → PPO": ("instructgpt_stages", "sft-175b", "ppo-noptx-175b"),
    "Llama-3-8B-Instruct → WPO": (
        "llama3_8b_instruct_to_po",
        "Meta-Llama-3-8B-Instruct",
        "Llama-3-Instruct-8B-WPO-HB-v2",
    ),
}
NAMED = {
    "Zephyr SFT → DPO": ("it's essential to",),
    "Alpaca SFT → PPO (human)": ("it is important",),
    "InstructGPT 175B SFT → PPO": ("difficult to say",),
    "Llama-3-8B-Instruct → WPO": ("here's a comprehensive", "here's a"),
}
NULL_FILES = ("ultrafeedback_sample", "hh_rlhf_harmless_test", "oasst_zh_ranked")
PLANT_FILES = {"English": ("alpaca_eval_vs_gpt4turbo",), "Chinese": ("oasst_zh_ranked", "dpo_zh_500", "dpo_zh_demo")}
PLANT_PAIRS = 2_000


def stages(data: Path, name: str) -> Responses:
    """Two models of one file as two stages."""
    file, early, late = STAGES[name]
    frame = pl.read_parquet(data / "outputs" / f"{file}.parquet").filter(pl.col("model").is_in([early, late]))
    frame = frame.with_row_index("row", offset=1).select(
        response_id=pl.col("row").cast(pl.String),
        row=pl.col("row").cast(pl.Int64),
        prompt="prompt",
        response="response",
        stage="model",
        group="prompt",
    )
    return Responses(frame, (early, late))


def audited(data: Path, name: str) -> Outcome:
    """The audit of two stages."""
    return audit_tables(Inputs(responses=stages(data, name)), AuditConfig())


def shown(estimate: Estimate | None) -> str:
    """A share with its interval in points of one."""
    if estimate is None:
        return "—"
    return f"{estimate.value:+.3f} [{estimate.low:+.3f}, {estimate.high:+.3f}]"


def lists(data: Path) -> Iterator[str]:
    """1. Presence of a markdown list, raw and at equal length."""
    yield "| stages | raw | length-matched | verdict | called grown beyond length |"
    yield "|---|---:|---:|---|---|"
    for name in list(STAGES)[:4]:
        for finding in audited(data, name).audit.findings:
            if finding.probe == "policy.amplification" and finding.feature == "list":
                matched = finding.details["length_matched"]
                grown = "yes" if matched.low > 0 else "no"
                yield f"| {name} | {shown(finding.estimate)} | {shown(matched)} | {finding.verdict} | {grown} |"


def catchphrases(data: Path) -> Iterator[str]:
    """2. Mined and confirmed phrases: place among the confirmed ones, and texts of each stage that have them."""
    yield "| stages | place | phrase | texts before → after | variants | q |"
    yield "|---|---:|---|---:|---|---:|"
    for name, wanted in NAMED.items():
        outcome = audited(data, name)
        _, early, late = STAGES[name]
        order = [feature.name for feature in outcome.measures.features if feature.mined]
        confirmed = {
            finding.feature: finding
            for finding in outcome.audit.findings
            if finding.probe == "policy.amplification" and finding.feature in order and (finding.q or 1) <= 0.05
        }
        ranked = [confirmed[feature] for feature in order if feature in confirmed]
        for place, finding in enumerate(ranked, 1):
            if place <= 5 or any(phrase in (finding.feature or "") for phrase in wanted):
                counts, variants = finding.details["counts"], finding.details["variants"]
                told = "; ".join(
                    f"{v['phrase']} {v.get(early, '')} → {v.get(late, '')}" for v in variants if early in v
                )
                change = f"{counts[early]} → {counts[late]}"
                yield f"| {name} | {place} | {finding.feature} | {change} | {told} | {finding.q:.4f} |"


def longer_wins(data: Path) -> Iterator[str]:
    """3. Share of pairs in which the longer answer was chosen, against a plain count over the file."""
    yield "| file | pairs | P(longer wins), audit | 95 % interval | plain count | sentence |"
    yield "|---|---:|---:|---|---:|---|"
    for path in sorted((data / "preference").glob("*.parquet")):
        inputs = read(AuditConfig(pairs=str(path)))
        frame = pl.read_parquet(path)
        chosen, rejected = (frame[side].str.len_chars().cast(pl.Int64) for side in ("chosen", "rejected"))
        plain = (chosen > rejected).sum() / max((chosen != rejected).sum(), 1)
        outcome = audit_tables(inputs, AuditConfig())
        for finding in outcome.audit.findings:
            if finding.details.get("reading") == "longer_wins" and finding.feature == "characters":
                if finding.estimate is None or finding.details["part"] is not None:
                    continue
                value = finding.estimate
                interval = f"[{value.low:.3f}, {value.high:.3f}]"
                sentence = finding.sentence.render().split(":")[0]
                yield f"| {path.stem} | {frame.height:,} | {value.value:.3f} | {interval} | {plain:.3f} | {sentence} |"


def null_and_planted(data: Path, seeds: int) -> Iterator[str]:
    """4. Permuted labels and planted phrases, by `dehusk validate` on files of real pairs."""
    yield "| file | pairs | planted in | named exactly | found | runs | false alarms |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    with tempfile.TemporaryDirectory() as folder:
        jobs: list[tuple[str, Path, tuple[float, ...]]] = [
            (name, data / "preference" / f"{name}.parquet", ()) for name in NULL_FILES
        ]
        for language, files in PLANT_FILES.items():
            parts = [pl.read_parquet(data / "preference" / f"{file}.parquet") for file in files]
            frame = pl.concat([part.select("prompt", "chosen", "rejected") for part in parts])
            path = Path(folder) / f"{language}.parquet"
            frame.sample(PLANT_PAIRS, seed=0, shuffle=True).write_parquet(path)
            jobs.append((language, path, (0.005, 0.01, 0.02, 0.03)))
        for name, path, rates in jobs:
            result = run_validate(ValidateConfig(pairs=str(path), rates=rates, repeats=seeds))
            alarms = f"{result.alarms} of {result.permutations}"
            yield f"| {name} | {result.rows:,} | — | — | — | — | {alarms} |"
            for row in (*result.recall, *filter(None, [result.smallest])):
                announced = " (announced for 80 %)" if row is result.smallest else ""
                cells = f"{row.rate:.2%}{announced} | {row.named:.0%} | {row.found:.0%} | {row.runs}"
                yield f"| {name} | {result.rows:,} | {cells} | |"


def drift(data: Path) -> Iterator[str]:
    """5. Does the data predict the drift? UltraFeedback pairs against Zephyr SFT → DPO, over declared features."""
    pairs = read(AuditConfig(pairs=str(data / "preference" / "ultrafeedback_sample.parquet")))
    responses = stages(data, "Zephyr SFT → DPO")
    found = audit_tables(Inputs(pairs=pairs.pairs, checks=pairs.checks, responses=responses), AuditConfig()).audit
    yield "| data reading | policy reading | features | Spearman | 95 % interval (features resampled) |"
    yield "|---|---|---:|---:|---|"
    for data_reading in ("adjusted", "raw", "length_conditional"):
        for policy_reading in ("length_matched", "raw"):
            x, y = _readings(found, data_reading, policy_reading)
            rng = stream(0, "drift")
            draws = [_spearman(x[pick], y[pick]) for pick in rng.integers(0, x.size, size=(2000, x.size))]
            low, high = np.nanquantile(draws, [0.025, 0.975])
            rho = _spearman(x, y)
            yield f"| {data_reading} | {policy_reading} | {x.size} | {rho:+.2f} | [{low:+.2f}, {high:+.2f}] |"


def _readings(audit: Audit, data_reading: str, policy_reading: str) -> tuple[np.ndarray, np.ndarray]:
    """Standardised data effect and policy effect of each declared feature that has both; log odds where a rate."""

    def value(details: dict, estimate: Estimate | None, reading: str) -> Estimate | None:
        return estimate if reading == "raw" else details.get(reading)

    data = {
        f.feature: value(dict(f.details), f.estimate, data_reading)
        for f in audit.findings
        if f.probe == "data.association" and f.feature and "subset" not in f.details and "“" not in f.feature
    }
    policy = {
        f.feature: value(
            dict(f.details),
            f.details.get("log_odds"),
            "raw" if policy_reading == "raw" else "log_odds_length_matched",
        )
        for f in audit.findings
        if f.probe == "policy.amplification" and f.feature and "“" not in f.feature
    }
    both = [name for name in data if data[name] is not None and policy.get(name) is not None]
    return np.array([data[n].value for n in both]), np.array([policy[n].value for n in both])


def _spearman(x: np.ndarray, y: np.ndarray) -> float:
    ranks = [pl.Series(part).rank().to_numpy() for part in (x, y)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1]) if min(np.unique(part).size for part in ranks) > 1 else np.nan


def main() -> None:
    """Run the claims asked for and print or write their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--only", default="1,2,3,4,5")
    options = parser.parse_args()
    claims: list[tuple[Callable[..., Iterator[str]], tuple[object, ...]]] = [
        (lists, ()),
        (catchphrases, ()),
        (longer_wins, ()),
        (null_and_planted, (options.seeds,)),
        (drift, ()),
    ]
    wanted = (claims[int(part) - 1] for part in options.only.split(","))
    sections = ((claim.__doc__, claim(options.data, *given)) for claim, given in wanted)
    tell(f"real_data.py DATA_FOLDER --seeds {options.seeds}", sections, options.out)


if __name__ == "__main__":
    main()
