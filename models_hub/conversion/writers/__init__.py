"""How each fitted step is written as ONNX nodes: exact in double, aware of missing values.

One module per family. A module registers what it writes (`registry`) by the estimator's name; what
nobody registered is left to skl2onnx (`stock`), one step at a time. Structure (pipelines, columns,
unions, ensembles of estimators) is always ours. Whether a graph is right is parity's to say.
"""
