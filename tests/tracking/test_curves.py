from pathlib import Path

import numpy as np
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from kedro_datasets_experimental.safetensors import SafetensorsDataset

from longtail.tracking.curves import curves_in, saved_curves


def test_curves_of_a_fitted_model_become_steps(tmp_path: Path) -> None:
    loss, ndcg = np.array([3.0, 2.0, 1.5]), np.array([0.1, 0.25])
    arrays = {
        "deep_validation_model": {"curve.training_loss": loss + 1, "curve.validation_ndcg": ndcg},
        "deep_model": {"curve.training_loss": loss, "user_factors": np.ones((2, 2))},
    }
    pipeline = Pipeline([Node(lambda: arrays, None, dict(zip(arrays, arrays, strict=True)))])
    catalog = DataCatalog.from_config(
        {
            name: {
                "type": f"{SafetensorsDataset.__module__}.SafetensorsDataset",
                "filepath": str(tmp_path / f"{name}.safetensors"),
                "versioned": True,
            }
            for name in arrays
        }
    )
    for name, content in arrays.items():
        catalog[name].save(content)

    metrics = [(m.key, m.step, m.value) for m in saved_curves(pipeline, catalog)]
    assert metrics == [
        ("deep.training_loss", 0, 3.0),
        ("deep.training_loss", 1, 2.0),
        ("deep.training_loss", 2, 1.5),
        ("deep.validation_ndcg", 0, 0.1),
        ("deep.validation_ndcg", 1, 0.25),
    ]
    (path,) = tmp_path.glob("deep_model.safetensors/*/*")
    assert list(curves_in(path)) == ["training_loss"]
