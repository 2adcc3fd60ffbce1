"""What every test's bundle says of itself."""

from __future__ import annotations

STATED = {
    "name": "mine",
    "description": "For tests.",
    "authors": "the tests",
    "data_source": "none",
    "licence": "Apache-2.0",
}
