"""The parameters of calls: how each is read, and the code of the refusal where it cannot be (behaviours §2.2)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from stnum import luhn  # type: ignore[import-not-found]
