"""Optimization methods, one a file: gradient methods follow rules, searches ask for candidates."""

from nnexp.optim.annealing import Annealing
from nnexp.optim.at import At
from nnexp.optim.cma_es import CMAES
from nnexp.optim.coordinate import CoordinateSearch
from nnexp.optim.differential_evolution import DifferentialEvolution
from nnexp.optim.draws import Draws, Stream
from nnexp.optim.es import EvolutionStrategy
from nnexp.optim.generational import GenerationalMethod
from nnexp.optim.gradient_method import GradientMethod
from nnexp.optim.method import Method
from nnexp.optim.openai_es import OpenAIES
from nnexp.optim.perturb import RandomPerturbation
from nnexp.optim.random_search import RandomSearch
from nnexp.optim.search_method import Found, SearchMethod, State, keep_best
from nnexp.optim.sep_cma_es import SeparableCMAES
from nnexp.optim.sgd import SGD
from nnexp.optim.spsa import SPSA

__all__ = [
    "CMAES",
    "SGD",
    "SPSA",
    "Annealing",
    "At",
    "CoordinateSearch",
    "DifferentialEvolution",
    "Draws",
    "EvolutionStrategy",
    "Found",
    "GenerationalMethod",
    "GradientMethod",
    "Method",
    "OpenAIES",
    "RandomPerturbation",
    "RandomSearch",
    "SearchMethod",
    "SeparableCMAES",
    "State",
    "Stream",
    "keep_best",
]
