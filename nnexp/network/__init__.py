"""Networks on flat parameter vectors: layouts, layers, activations, buffers."""
