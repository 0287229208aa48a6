"""One page that says which method of a sweep is better, shows why, and travels as one file."""

from nnexp.report.material import Material, load_material
from nnexp.report.page import render
from nnexp.report.paper import FORMATS, paper_table

__all__ = ["FORMATS", "Material", "load_material", "paper_table", "render"]
