"""Opening a stranger's file in a process of its own, and believing nothing that it says.

`inspect` starts two children. The first opens the upload, converts it and
says what the original predicts. The second, a clean one that never saw the upload, vets the graph
that came out, draws the rows itself and compares. Nothing is loaded in the calling process.
"""

from models_hub.sandbox.launch import Inspection, Stage, inspect
from models_hub.sandbox.limits import Limits
from models_hub.sandbox.process import NoSandbox

__all__ = ["Inspection", "Limits", "NoSandbox", "Stage", "inspect"]
