"""Optimization methods, one a file: gradient methods, made of rules, and gradient-free searches."""

from nnexp.optim.adagrad import AdaGrad
from nnexp.optim.adam import Adam
from nnexp.optim.adamw import AdamW
from nnexp.optim.annealing import Annealing
from nnexp.optim.at import At
from nnexp.optim.cma_es import CMAES
from nnexp.optim.coordinate import CoordinateSearch
from nnexp.optim.differential_evolution import DifferentialEvolution
from nnexp.optim.draws import Draws, Stream
from nnexp.optim.es import EvolutionStrategy
from nnexp.optim.generational import GenerationalMethod
from nnexp.optim.gradient_method import GradientMethod
from nnexp.optim.lbfgs import LBFGS
from nnexp.optim.lion import Lion
from nnexp.optim.method import Method
from nnexp.optim.nadam import NAdam
from nnexp.optim.openai_es import OpenAIES
from nnexp.optim.perturb import RandomPerturbation
from nnexp.optim.random_search import RandomSearch
from nnexp.optim.rmsprop import RMSProp
from nnexp.optim.rules import Bound, Rule, chain
from nnexp.optim.sam import SAM
from nnexp.optim.search_method import Found, SearchMethod, State, keep_best
from nnexp.optim.sep_cma_es import SeparableCMAES
from nnexp.optim.sgd import SGD
from nnexp.optim.spsa import SPSA

__all__ = [
    "CMAES",
    "LBFGS",
    "SAM",
    "SGD",
    "SPSA",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Annealing",
    "At",
    "Bound",
    "CoordinateSearch",
    "DifferentialEvolution",
    "Draws",
    "EvolutionStrategy",
    "Found",
    "GenerationalMethod",
    "GradientMethod",
    "Lion",
    "Method",
    "NAdam",
    "OpenAIES",
    "RMSProp",
    "RandomPerturbation",
    "RandomSearch",
    "Rule",
    "SearchMethod",
    "SeparableCMAES",
    "State",
    "Stream",
    "chain",
    "keep_best",
]
