"""nnexp: networks in NumPy, trained by any method, compared fairly and recorded in MLflow. The rooms, from below:

config      settings and parts: checks, defaults, conf files, modules from outside (schema: the whole config)
data        datasets, splits, mini-batches, streams of random numbers
network     layers, activations, initial weights, architectures; theta is one flat vector, layout names its views
losses      losses, targets, accuracy
optim       methods: gradient methods with their rules and schedules, searches
notebook    what the original notebook draws and rounds
training    a group of runs: problem, descent, search, rows, record, budget, early stopping; testing: contracts of parts
pictures    figures of one run; tracking: MLflow, the files of a run, the journal; results: recorded runs as tables
stats       intervals, tests, verdicts, tuning; inside: loss planes and weights over time; figures, report, notebooks
sweep       plan, workers, resume, tuning; compose: jobs; engines: processes, Dask, Ray; recording
cli         the command line, entered by run and command; replay: recorded runs trained again; sync; guide
"""

__version__ = "0.1.0"
