"""The notebook that the project grew from: its draws, its order of draws and its data, and nothing else."""
