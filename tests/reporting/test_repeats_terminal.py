from typing import Any

import pytest

from longtail.reporting.repeats_terminal import print_repeats


def test_models_of_two_roles_are_shown_once_and_missing_values_as_a_dash(
    capsys: pytest.CaptureFixture[str],
) -> None:
    where: dict[str, Any] = {"metric": "recall", "k": 20, "item_group": "tail"}
    spread = {"mean": 0.25, "sd_origins": 0.01, "sd_seeds": None, "ci_low": 0.2, "ci_high": 0.3}
    difference = {"mean": 0.1, "low": -0.1, "high": 0.2, "n_same_sign": 2, "n_repeats": 3}
    summary = {
        "runs": [{"origin": origin, "seed": 0} for origin in range(3)],
        "roles": {"hybrid": "hybrid", "baseline": "als", "best without text": "als"},
        "values": [
            {"model": "als", **where} | spread,
            {"model": "als", "metric": "ndcg", "k": 20, "item_group": "all"} | spread,
        ],
        "differences": [
            {"model": "hybrid", "other": "als", **where}
            | difference
            | {"ci_low": None, "ci_high": None}
        ],
    }

    print_repeats(summary, confidence=0.95)

    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    lines = [line for line in lines if line]
    assert lines[0] == "Spread over 3 origins in time and 1 seed"
    first = "als (baseline, best without text) NDCG@20 0.2500 0.0100 - 0.2000 to 0.3000"
    assert lines[lines.index(first) + 1] == "tail recall@20 0.2500 0.0100 - 0.2000 to 0.3000"
    assert lines[-1] == "hybrid - als tail recall@20 +0.1000 -0.1000 +0.2000 2 of 3 -"
