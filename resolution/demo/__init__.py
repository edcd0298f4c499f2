"""The demo company: what its systems exported (see benchmarks/make_demo.py), what its customers write."""
