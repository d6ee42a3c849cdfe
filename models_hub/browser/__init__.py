"""A model in the form that a page runs on the applicant's own device, and the check that it may.

The light lane is `static/berth/widget/light.js`, an interpreter for the operators that tabular
pipelines use. `compiler` brings a vetted ONNX graph into the form that it reads; what it lacks
closes the lane, and the heavy lane (onnxruntime's own build for browsers) takes the graph as it is.
"""
