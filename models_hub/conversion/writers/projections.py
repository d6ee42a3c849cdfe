"""Transformers that are a product with a matrix, or distances to centres."""

from typing import Any

import numpy as np

from models_hub.conversion.pen import Pen
from models_hub.conversion.writers.kernels import kernel, squared_distances
from models_hub.conversion.writers.registry import transformer
from models_hub.conversion.writers.table import Table


def _projected(pen: Pen, value: str, matrix: Any) -> Table:
    matrix = np.asarray(matrix, dtype=float)
    return Table.of(pen.node("MatMul", value, pen.number(matrix)), matrix.shape[1])


@transformer("PCA", "IncrementalPCA")
def _pca(pen: Pen, step: Any, table: Table) -> Table:
    value = pen.apply("Sub", table.matrix(pen), step.mean_[None, :])
    matrix = step.components_.T
    if step.whiten:
        scale = np.sqrt(step.explained_variance_)
        matrix = matrix / np.maximum(scale, np.finfo(scale.dtype).eps)
    return _projected(pen, value, matrix)


@transformer("TruncatedSVD")
def _svd(pen: Pen, step: Any, table: Table) -> Table:
    return _projected(pen, table.matrix(pen), step.components_.T)


@transformer("GaussianRandomProjection", "SparseRandomProjection")
def _random(pen: Pen, step: Any, table: Table) -> Table:
    matrix = step.components_
    matrix = matrix.toarray() if hasattr(matrix, "toarray") else matrix
    return _projected(pen, table.matrix(pen), matrix.T)


@transformer("FastICA")
def _independent(pen: Pen, step: Any, table: Table) -> Table:
    value = table.matrix(pen)
    if step.whiten:
        value = pen.apply("Sub", value, step.mean_[None, :])
    return _projected(pen, value, step.components_.T)


@transformer("FactorAnalysis")
def _factors(pen: Pen, step: Any, table: Table) -> Table:
    """E[z | x] of the latent factors, as scikit-learn's transform."""
    weighted = step.components_ / step.noise_variance_
    inner = np.linalg.inv(np.eye(len(step.components_)) + weighted @ step.components_.T)
    value = pen.apply("Sub", table.matrix(pen), step.mean_[None, :])
    return _projected(pen, value, weighted.T @ inner)


@transformer("LinearDiscriminantAnalysis")
def _discriminant(pen: Pen, step: Any, table: Table) -> Table:
    value = table.matrix(pen)
    if step.solver == "svd":
        value = pen.apply("Sub", value, step.xbar_[None, :])
    return _projected(pen, value, step.scalings_[:, : step._max_components])


@transformer("PLSRegression")
def _partial(pen: Pen, step: Any, table: Table) -> Table:
    value = pen.apply("Sub", table.matrix(pen), step._x_mean[None, :])
    value = pen.apply("Div", value, step._x_std[None, :])
    return _projected(pen, value, step.x_rotations_)


@transformer("FeatureAgglomeration")
def _agglomeration(pen: Pen, step: Any, table: Table) -> Table:
    if step.pooling_func is not np.mean:
        raise NotImplementedError("FeatureAgglomeration with another pooling than the mean")
    member = np.eye(step.n_clusters_)[np.asarray(step.labels_)]
    return _projected(pen, table.matrix(pen), member / member.sum(axis=0))


@transformer("KMeans", "MiniBatchKMeans")
def _distances(pen: Pen, step: Any, table: Table) -> Table:
    square = squared_distances(pen, table, step.cluster_centers_)
    return Table.of(pen.node("Sqrt", square), len(step.cluster_centers_))


@transformer("RBFSampler")
def _fourier(pen: Pen, step: Any, table: Table) -> Table:
    value = pen.node("MatMul", table.matrix(pen), pen.number(step.random_weights_))
    value = pen.node("Cos", pen.apply("Add", value, step.random_offset_[None, :]))
    return Table.of(pen.apply("Mul", value, np.sqrt(2.0 / step.n_components)), step.n_components)


@transformer("Nystroem")
def _nystroem(pen: Pen, step: Any, table: Table) -> Table:
    similar = kernel(pen, step.kernel, table, step.components_, step)
    return _projected(pen, similar, step.normalization_.T)


@transformer("SkewedChi2Sampler")
def _skewed(pen: Pen, step: Any, table: Table) -> Table:
    value = pen.node("Log", pen.apply("Add", table.matrix(pen), float(step.skewedness)))
    value = pen.node("MatMul", value, pen.number(step.random_weights_))
    value = pen.node("Cos", pen.apply("Add", value, step.random_offset_[None, :]))
    return Table.of(pen.apply("Mul", value, np.sqrt(2.0 / step.n_components)), step.n_components)


@transformer("BernoulliRBM")
def _boltzmann(pen: Pen, step: Any, table: Table) -> Table:
    value = pen.node("MatMul", table.matrix(pen), pen.number(step.components_.T))
    value = pen.apply("Add", value, step.intercept_hidden_[None, :])
    return Table.of(pen.node("Sigmoid", value), len(step.components_))


@transformer("Birch")
def _subclusters(pen: Pen, step: Any, table: Table) -> Table:
    square = squared_distances(pen, table, step.subcluster_centers_)
    return Table.of(pen.node("Sqrt", square), len(step.subcluster_centers_))


@transformer("KernelPCA")
def _kernel_pca(pen: Pen, step: Any, table: Table) -> Table:
    similar = kernel(pen, step.kernel, table, step.X_fit_, step)
    centre = step._centerer
    means = pen.apply("Div", pen.total(similar), float(len(centre.K_fit_rows_)))
    similar = pen.node("Sub", pen.apply("Sub", similar, centre.K_fit_rows_[None, :]), means)
    similar = pen.apply("Add", similar, float(centre.K_fit_all_))
    filled = step.eigenvalues_ > 0
    scaled = np.zeros_like(step.eigenvectors_)
    scaled[:, filled] = step.eigenvectors_[:, filled] / np.sqrt(step.eigenvalues_[filled])
    return _projected(pen, similar, scaled)
