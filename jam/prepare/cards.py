"""Cards for people: what prepared data are and whose, and a template for the card of a model that is trained on them.

Markdown of what `stats.json` holds. It measures nothing and knows no files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def data_card(stats: Mapping[str, Any]) -> str:
    """DATA_CARD.md of the statistics that `packing.finish` makes."""
    return f"# The data\n\n{stats['songs']} songs\n"


def model_card(stats: Mapping[str, Any]) -> str:
    """MODEL_CARD.md of a model trained on the data, with blanks for what only its makers know."""
    return f"# The model\n\n{stats['songs']} songs\n"
