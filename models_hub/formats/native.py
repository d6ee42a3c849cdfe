"""Reading a pickle as pickle is meant: whatever code it brings is run.

For files whose author's organisation and whose operator both said so, and inside the sandbox
only. What comes out predicts inside the sandbox too, and nowhere else.
"""

import io
from typing import Any

from joblib.numpy_pickle import NumpyUnpickler

from models_hub.formats.refusal import Refused


def load(data: bytes) -> Any:
    """The object of an unpacked joblib or pickle file. Raises `Refused` (`own_code_failed`)."""
    try:
        return NumpyUnpickler("", io.BytesIO(data), True).load()
    except (MemoryError, RecursionError) as error:
        raise Refused("pickle_bomb", "The file asks for more memory than it may have.") from error
    except Exception as error:
        text = f"{type(error).__name__}: {error}"[:200]
        raise Refused(
            "own_code_failed",
            f"The file's own code failed as it was opened ({text}). Save it by value, with "
            "cloudpickle.register_pickle_by_value(your_module), so that its code is in the file.",
        ) from error
