"""nnexp: neural networks in NumPy, trained by any method, compared fairly and recorded in MLflow."""

__version__ = "0.1.0"
