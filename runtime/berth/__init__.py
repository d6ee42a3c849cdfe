"""Berth's runtime: everything that turns a Bundle and rows into predictions, anywhere.

It never imports Django. Import the parts by their own names
(`from berth.predictor import Predictor`), so that a process which only needs signatures
never pays for onnxruntime.
"""

import os

# The stock onnxruntime wheel reports home unless this is in the environment before its import.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
