"""Files of a small model, as the tests of models have them."""

from tests.model.conftest import folder, safe, script  # noqa: F401 - fixtures
