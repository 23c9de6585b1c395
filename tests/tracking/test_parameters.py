from pydantic import BaseModel

from longtail.tracking.parameters import flatten


class Inner(BaseModel):
    factors: int = 16


class Settings(BaseModel):
    als: Inner = Inner()
    ks: tuple[int, ...] = (10, 20)


def test_typed_parameters_are_flattened() -> None:
    assert flatten({"model": Settings(), "seed": 1}) == {
        "model.als.factors": 16,
        "model.ks": [10, 20],
        "seed": 1,
    }
