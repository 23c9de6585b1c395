import pytest
from hand_case import Case, hand_case


@pytest.fixture
def case() -> Case:
    return hand_case()
