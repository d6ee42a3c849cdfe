"""The ONNX operators that a hosted model may use.

They are those that scikit-learn's, LightGBM's and XGBoost's converters emit for tabular models,
and the plain arithmetic that hand-made graphs use. Nothing that loops, branches, calls functions
or draws random numbers; nothing that makes a small file produce an unbounded tensor.
"""

_STANDARD = """
Abs Add And ArgMax ArgMin Cast Ceil Clip Concat Constant ConstantOfShape Cos Cosh CumSum Div Dropout
Elu Equal Erf Exp Flatten Floor Gather GatherElements GatherND Gelu Gemm Greater GreaterOrEqual
Identity IsInf IsNaN LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization
MatMul Max Min
Mod Mul Neg Not Or Pow Reciprocal ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin
ReduceProd ReduceSum ReduceSumSquare Relu Reshape Round Selu Shape Sigmoid Sign Sin Sinh Slice
Softmax Softplus Split Sqrt Squeeze Sub Sum Tan Tanh TopK Transpose Unsqueeze Where Xor
BatchNormalization
"""
_ML = """
ArrayFeatureExtractor Binarizer CategoryMapper FeatureVectorizer Imputer LabelEncoder
LinearClassifier LinearRegressor Normalizer OneHotEncoder SVMClassifier SVMRegressor Scaler
TreeEnsembleClassifier TreeEnsembleRegressor ZipMap
"""

ALLOWED: frozenset[tuple[str, str]] = frozenset(
    [("", name) for name in _STANDARD.split()] + [("ai.onnx.ml", name) for name in _ML.split()]
)
NEWEST_OPSET = {"": 23, "ai.onnx.ml": 4}
