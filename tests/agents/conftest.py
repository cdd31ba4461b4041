import pytest

from tests.agents.toy import toy_data


@pytest.fixture(scope="session")
def toy():
    return toy_data(8, size=64)
