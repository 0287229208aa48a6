"""Recording of runs: the store's location, what is written, and which process writes it.

Only the modules ``mlflow_*`` import MLflow, and the model's own file :mod:`nnexp.tracking.model_code`; importing this
package does not.
"""

import os

# MLflow reads these when it is imported: no telemetry, no links between our
# own lines, and a dead server costs seconds instead of many minutes.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
# With tqdm installed, its progress bars would be drawn over ours.
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
