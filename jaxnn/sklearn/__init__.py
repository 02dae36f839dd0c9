"""Estimators for scikit-learn on networks of jaxnn: `MLPClassifier` and `MLPRegressor`.

They need scikit-learn, which nothing else in jaxnn imports.
"""

from jaxnn.sklearn.classifier import MLPClassifier
from jaxnn.sklearn.regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
